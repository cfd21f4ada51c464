"""``tool-sync support-bundle``: what another team needs of a clinic, and nothing that it must not have."""

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from uuid import UUID, uuid4

import pytest

from devstack.databases import DatabaseUrls
from devstack.tokens import Signer
from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.log import EventLog
from tool_sync.settings import Settings

from .command import command
from .console.oncall import TOOL, World
from .ordering import say

KEY = "sk-canary-4f1d2c"
PATIENT = "Wilhelmine Kanarienvogel"
PHONE = "+49 151 23456789"
PROMPT = "You are the kind receptionist Kanarie of the practice"
CLINIC = "Praxis Kanarienberg"
AGENT = "Kanarie am Empfang"
REASON = "the mother of Kanarienvogel has complained"
NOTE = "Kanarie says hello first"
WORDS = """
INSERT INTO vapi_words (org_id, agent_id, route, status, code, words)
VALUES ($1, 'agent-1', 'PATCH /assistant/{id}', 400, 'TS-301', $2)
"""
NAMED = """
INSERT INTO display_names (org_id, agent_id, name, searched, revision, log_id) VALUES ($1, $2, $3, lower($3), 1, $1)
"""
METRICS = f"""# TYPE zerotouch_coverage gauge
zerotouch_coverage 0.5
zerotouch_vapi_calls_total{{kind="link",result="ok"}} 12
zerotouch_said_total{{words="{PATIENT} {PHONE}"}} 1
{PATIENT} called from {PHONE}
other_total{{key="{KEY}"}} 1
"""


@pytest.fixture
async def world(event_log: EventLog, pool: db.Pool) -> World:
    """A log in which the tool is ordered."""
    world = World(event_log, pool)
    await world.order()
    return world


async def troubled(world: World) -> UUID:
    """A clinic with trouble, with canaries wherever somebody may have put something."""
    org = await world.clinic(CLINIC, agents=("agent-1", "agent-2"))
    await world.pool.execute(NAMED, org, "agent-1", AGENT)
    await world.pool.execute(NAMED, org, "agent-2", PATIENT)
    await world.append(
        org,
        e.ToolSettingChanged(TOOL, False, reason=REASON),
        e.ToolSettingChanged(TOOL, True, reason=REASON),
        e.ToolPinned(TOOL, 1, "a" * 64, "basic", datetime.now(UTC) + timedelta(days=1), REASON),
        e.RetryRequested("agent-1", REASON),
    )
    await world.pool.execute(WORDS, org, f"property {PATIENT} should not exist, {PHONE} {PROMPT} {KEY} must be shorter")
    await say(world.log, e.ToolHalted(TOOL, NOTE), e.ToolResumed(TOOL, NOTE))
    await world.failed(org)
    await world.pause_key()
    return org


@contextmanager
def metrics_page() -> Iterator[str]:
    """Somebody who answers at the address of the service, and may be a stranger."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/metrics" else 404)
            self.end_headers()
            self.wfile.write(METRICS.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
            """Requests are no news."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def told(settings: Settings, **changes: str) -> dict[str, str]:
    """What a shell has that knows the service's settings."""
    values = settings.model_dump(mode="json", exclude={"vapi_api_key", "database_url"})
    return {name.upper(): str(value) for name, value in values.items() if value is not None} | changes


def read(path: Path) -> dict[str, str]:
    """Its files by name."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


async def test_it_has_what_another_team_needs_and_no_canary(
    world: World, settings: Settings, tmp_path: Path, signer: Signer
) -> None:
    org = await troubled(world)
    other = await world.clinic("Praxis Bär")
    await world.failed(other, "TS-309")
    token = signer.platform_token()
    env = told(settings, VAPI_API_KEY=KEY, ASSISTANT_API_TOKEN=token, ASSISTANT_API_URL="http://127.0.0.1:9")
    out = tmp_path / "bundle.zip"
    with metrics_page() as url:
        status, stdout, stderr = await command(
            "support-bundle", str(org), "--out", str(out), "--url", url,
            database_url=settings.database_url, **env,
        )  # fmt: skip
    assert (status, stderr) == (0, "")
    assert str(out) in stdout
    assert "left out: what people typed" in stdout

    files = read(out)
    assert set(files) == {"README.txt", "describe.txt", "events.jsonl", "vapi-words.json", "failures.json",
                          "service.json", "settings.json", "metrics.txt"}  # fmt: skip
    whole = "\n".join(files.values())
    password = settings.database_url.split("@")[0].rsplit(":", 1)[1]
    for canary in (KEY, token, PATIENT, "Kanarie", PHONE, "23456789", PROMPT, CLINIC, AGENT, REASON, NOTE, str(other),
                   f":{password}@"):  # fmt: skip
        assert canary not in whole, canary

    assert "agent-1 cannot book" in files["describe.txt"]
    assert "Vapi's key is paused since" in files["describe.txt"]
    assert "was switched off by" in files["describe.txt"]
    events = [json.loads(line) for line in files["events.jsonl"].splitlines()]
    assert [one["type"] for one in events][-1] == "AssistantSyncFailed"
    assert {"name": TOOL, "enabled": False, "reason": "(left out)"} in [one["data"] for one in events]
    (words,) = json.loads(files["vapi-words.json"])
    assert words["words"].startswith("property … should not exist")
    assert [one["code"] for one in json.loads(files["failures.json"])] == ["TS-301"]
    service = json.loads(files["service.json"])
    assert service["paused_keys"][0]["code"] == "TS-201"
    assert service["backlog"]["head"] == service["head"] > 0
    shown = {one["variable"]: one["value"] for one in json.loads(files["settings.json"])}
    assert set(shown["VAPI_API_KEY"]) == {"*"}
    assert files["metrics.txt"].splitlines() == [
        "# TYPE zerotouch_coverage gauge",
        "zerotouch_coverage 0.5",
        'zerotouch_vapi_calls_total{kind="link",result="ok"} 12',
    ]


async def test_it_says_what_could_not_be_had(world: World, tool_sync_db: DatabaseUrls, tmp_path: Path) -> None:
    org = await troubled(world)
    out = tmp_path / "bundle.zip"
    for url in ("http://127.0.0.1:1", "no address"):
        status, stdout, _ = await command(
            "support-bundle", str(org), "--out", str(out), "--url", url, database_url=tool_sync_db.service
        )
        assert status == 0
        files = read(out)
        assert not {"settings.json", "metrics.txt"} & set(files)
        for text in (" ".join(stdout.split()), files["README.txt"]):
            assert "settings: this shell has not those of the service" in text
            assert "metrics: TOOL_SYNC_URL names no tool-sync that answers" in text
        out.unlink()


async def test_it_is_its_owners_alone_and_written_over_nothing(
    world: World, tool_sync_db: DatabaseUrls, tmp_path: Path
) -> None:
    org = await troubled(world)
    out, elsewhere = tmp_path / "bundle.zip", tmp_path / "elsewhere"
    arguments = ("support-bundle", str(org), "--out", str(out))
    assert (await command(*arguments, database_url=tool_sync_db.service))[0] == 0
    assert out.stat().st_mode & 0o777 == 0o600
    before = out.read_bytes()
    status, _, stderr = await command(*arguments, database_url=tool_sync_db.service)
    assert (status, "is there already" in stderr) == (2, True)
    assert out.read_bytes() == before
    out.unlink()
    out.symlink_to(elsewhere)
    assert (await command(*arguments, database_url=tool_sync_db.service))[0] == 2
    assert not elsewhere.exists()
    status, _, stderr = await command(
        "support-bundle", str(org), "--out", str(tmp_path / "nowhere" / "b.zip"), database_url=tool_sync_db.service
    )
    assert (status, "cannot be written" in stderr) == (2, True)


async def test_a_clinic_that_nobody_knows_is_refused(tool_sync_db: DatabaseUrls, tmp_path: Path) -> None:
    out = tmp_path / "bundle.zip"
    status, _, stderr = await command(
        "support-bundle", str(uuid4()), "--out", str(out), database_url=tool_sync_db.service
    )
    assert (status, "there is no organization" in stderr) == (2, True)
    assert not out.exists()
