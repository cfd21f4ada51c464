"""One run of schemathesis over a service, as one holder of tokens: what it found wrong, and what it was answered.

It reads the document that the service serves, makes requests that it allows and requests that it forbids, and compares
every answer with it. Ids that mean something it cannot know: a configuration file gives it some of them.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.leaks.requests import NAMES
from tests.leaks.world import World
from tests.support.own_environment import python_with

from .serving import served

DOCUMENTS: Final = {"assistant_api": "/api/openapi.json", "tool_sync": "/openapi.json"}
CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
EXCEPT: Final = {
    # It says 503 of a service that works, for something else that it needs; here there is no Kafka.
    "GET /readyz": "not_a_server_error",
    # Vapi ignores every answer but a 200, and a call waits for it: whatever is JSON is answered.
    "POST /api/vapi/tool-calls": "negative_data_rejection",
    # A POST there is another operation, `/v1/rollouts/{rollout_id}/{command}`, which says 422 of such a command.
    "GET /v1/rollouts/{rollout_id}/orgs": "unsupported_method",
    # It is there to say what is wrong with a tool: that is its answer, and no error.
    "POST /v1/tools/lint": "negative_data_rejection",
}
"""Checks that do not hold of an operation, and why."""


@dataclass(frozen=True, slots=True)
class Report:
    """``said``: what schemathesis printed; ``done``: operations, as `METHOD path`, with an answer of 2xx."""

    is_clean: bool
    said: str
    done: frozenset[str]


async def run(
    world: World, who: str, folder: Path, *, phases: str, examples: int, seed: int, seconds_max: float, only: str = ""
) -> Report:
    """Ask all operations as ``who``, or those whose path ``only`` finds, with so many examples of each."""
    python = await asyncio.to_thread(python_with, "openapi")
    token = world.token(who, world.clinics.own.org_id)
    configuration, events = folder / "schemathesis.toml", folder / "events.ndjson"
    configuration.write_text(_configuration(world, f"Bearer {token}"))
    command = [
        str(python.with_name("st")), "--config-file", str(configuration), "run",
        "--workers", "2", "--max-examples", str(examples), "--seed", str(seed),
        "--phases", phases, "--continue-on-failure", "--generation-database", "none",
        "--no-color", "--request-timeout", "20", "--report", "ndjson", "--report-ndjson-path", str(events),
        *(("--include-path-regex", only) if only else ()),
    ]  # fmt: skip
    async with served(world.app) as url:
        process = await asyncio.create_subprocess_exec(
            *command, f"{url}{DOCUMENTS[world.service]}",
            cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "COLUMNS": "160"},
        )  # fmt: skip
        try:
            said, _ = await asyncio.wait_for(process.communicate(), seconds_max)
        finally:
            if process.returncode is None:
                process.kill()
    return Report(process.returncode == 0, said.decode(errors="replace"), frozenset(_done(events)))


def _done(events: Path) -> Iterator[str]:
    for line in events.read_text().splitlines():
        recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
        for sent in recorder.get("interactions", {}).values():
            if (answer := sent.get("response")) and 200 <= answer["status_code"] < 300:
                yield recorder["label"]


def _configuration(world: World, authorization: str) -> str:
    """TOML. Right values come often, and not always: what is wrong with them has to be met, too."""
    own, values = world.clinics.own, dict[str, str]()
    lines = ["max-stream-events = 1", *_headers("headers", authorization)]
    lines += ["[checks]", "enabled = false", *(f"{check}.enabled = true" for check in CHECKS)]
    for form in world.forms():
        bindings = []
        for field in form.fields:
            right = form.right.get(f"{form.name} {field.name}", form.right.get(field.name))
            known = own.facts.get(NAMES[field.name].fact, right) if field.name in NAMES else right
            if isinstance(known, str) or type(known) is int:
                name = values.setdefault(json.dumps([known]), f"value{len(values)}")
                bindings.append(f'"{field.place}.{field.name}" = {{ dictionary = "{name}", probability = 0.7 }}')
        lines += ["[[operations]]", f'include-name = "{form.name}"']
        if form.name in EXCEPT:
            lines += [f"[operations.checks.{EXCEPT[form.name]}]", "enabled = false"]
        if form.name in world.credentials:
            lines += _headers("operations.headers", f"Bearer {world.credentials[form.name]}")
        lines += ["[operations.parameters]", *bindings]
    lines += [line for known, name in values.items() for line in (f"[dictionaries.{name}]", f"values = {known}")]
    return "\n".join(lines)


def _headers(table: str, authorization: str) -> list[str]:
    return [f"[{table}]", f'Authorization = "{authorization}"', 'X-Access-Reason = "a test"']
