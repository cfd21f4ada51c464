"""A running system in which the commands of the documentation have something to show, and what their words stand for.

| of a page | here |
|---|---|
| `ORG`, `AGENT`, `ASSISTANT`, `TOOL` | a clinic, its synced agent `test-agent-id`, its assistant, the booking tool |
| `BAD_ORG`, `BAD_AGENT` | a clinic whose tool Vapi refuses |
| `ROLLOUT`, `HASH`, and each word that `says` of `commands.toml` catches | what the command before has printed |
| `FILE` | a tool's file that nobody has shipped: another tool each time |
| `localhost:3001`, `:3002`, `:3003` | this system's ports |
| `DATE`, `TIME`, `2026-12-24` | in 30 days |
| `…` behind an option, `TEXT`, `CODE` … | as `words` says |
"""

import json
import os
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from tests.support.docs_commands import ROOT
from tests.support.eventually import eventually

from devstack import postgres, topics
from devstack.databases import SERVICES
from devstack.ports import free_port
from devstack.services import TITLES
from devstack.topics import TopicSpec
from devstack.walkthrough import call

from ..kafka_topics import INPUT, OUTPUT
from ..test_bad_records import send_in_one_batch
from ..world import PATIENCE_SECONDS, TOOL, World

IN_THE_CHECKOUT = (
    "Makefile", "pyproject.toml", "contracts", "deploy", "docs", "examples", "requirements", "services", "tests",
)  # fmt: skip
PHONE = "+49 30 3456789"
LOST = """
INSERT INTO lost_records (topic, partition, first_offset, end_offset, cause)
VALUES ($1, 0, 0, 1, 'below the beginning of the partition') RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Terminal:
    """What is around a command: environment, what words and addresses stand for. `exported` stays, as in a terminal."""

    env: dict[str, str]
    literals: dict[str, str] = field(default_factory=dict)
    exported: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The running system as whoever types the commands has it."""

    world: World
    folder: Path
    words: dict[str, str]
    places: dict[str, Terminal]

    def file_of(self, name: str) -> str:
        """A file of a tool that nobody has published."""
        text = f'name = "{name}"\ncontract = 0\ndescription = "Sends the way to the clinic."\n'
        text += f'server_url = "http://127.0.0.1:{free_port()}/"\n\n[parameters]\ntype = "object"\nproperties = {{}}\n'
        (self.folder / f"{name}.toml").write_text(text)
        return f"{name}.toml"


def checkout(folder: Path) -> Path:
    """A folder that is to the commands what the checkout is after `make setup`: nothing is installed from it."""
    for name in IN_THE_CHECKOUT:
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (folder / ".venv" / name).symlink_to(Path(sys.prefix) / name)
    (folder / ".venv/.ready").touch()
    return folder


def checkout_of(world: World, folder: Path) -> Path:
    """The same after `make up`."""
    checkout(folder)
    (folder / ".devstack").symlink_to(world.stack.options.state_dir.resolve())
    (folder / "logs").mkdir()
    (folder / "logs/app.log").symlink_to(world.stack.surroundings.log_file.resolve())
    return folder


async def prepared(world: World, folder: Path) -> Prepared:
    """Clinics, a failure, what could not be read, what was lost, a patient; and the words for them."""
    org, other, bad = [await world.organization(f"{name} Clinic") for name in ("Test", "Lakeside", "Refused")]
    saved = await world.synced_agent(org, "test-agent-id")
    await world.synced_agent(other, "lakeside")
    await world.vapi.dial([{
        "route": "POST /tool", "match": {"organization_id": str(bad)},
        "action": {"kind": "status", "status": 400, "body": "json", "json": {"message": ["name is taken"]}},
    }])  # fmt: skip
    refused = await world.save(bad, "front-desk-of-refused")
    await world.outcomes.of(UUID(refused["requestId"]), until=time.monotonic() + PATIENCE_SECONDS)
    await call(world.stack, saved["assistantId"], TOOL, _appointment())
    unread = await send_in_one_batch(world, 0, [(str(org).encode(), b"not a message", [])])
    in_a_month = datetime.now(UTC) + timedelta(days=30)
    words = {
        "ORG": str(org),
        "AGENT": "test-agent-id",
        "ASSISTANT": saved["assistantId"],
        "BAD_ORG": str(bad),
        "BAD_AGENT": refused["agentId"],
        "TOOL": TOOL,
        "SEED": f"seed-{TOOL}",
        "LETTER": str(await _letter(world)),
        "LOSS": str(await world.log_db.fetchval(LOST, INPUT)),
        "OUTCOMES_LOSS": str(await world.assistants_db.fetchval(LOST, OUTPUT)),
        "APPOINTMENT": str(await world.assistants_db.fetchval("SELECT id FROM appointments")),
        "NUMBER": f'"{PHONE}"',
        "JTI": str(uuid4()),
        "DATE": in_a_month.date().isoformat(),
        "TIME": in_a_month.date().isoformat(),
        "UUID": str(org),
        "TEXT": "lake",
        "CODE": "TS-301",
        "NAME": "org_tools",
        "POLICY": "report",
        "HOURS": "22:00-06:00",
        "N": "1",
        "V": "2",
        "V1": "2",
        "V2": "3",
        "TOPIC": await _topic(world),
        "DUMP": "dump",
        "HOST:PORT": world.stack.bootstrap_servers,
    }
    places = places_of(world, folder, str(org), await _database(world))
    _for_the_checker(world, folder, unread)
    _for_vapis_stand_in(folder)
    return Prepared(world, folder, words, places)


def shell_of(folder: Path) -> dict[str, str]:
    """A terminal of 80 columns."""
    programs = (str(Path(sys.executable).parent), str(postgres._binaries()), os.environ["PATH"])
    return {
        "PATH": os.pathsep.join(programs),
        "HOME": str(folder),
        "COLUMNS": "80",
        "LOGNAME": "lee",
    }


def places_of(world: World, folder: Path, org: str, own_database: str) -> dict[str, Terminal]:
    """Whose environment a command may have. `tool-sync` and `assistant-api` are those of the services themselves."""
    stack = world.stack
    shell = shell_of(folder)
    addresses = {
        "localhost:3001": f"127.0.0.1:{stack.ports['assistant-api']}",
        "localhost:3002": f"127.0.0.1:{stack.ports['tool-sync']}",
        "127.0.0.1:3002": f"127.0.0.1:{stack.ports['tool-sync']}",
        "…/v1/": f"{stack.tool_sync_url}/v1/",
        "/backups/2026-12-01": str(folder / "backup"),
    }
    token = {"TOKEN": stack.signer.platform_token()}
    asking = {"ASSISTANT_API_URL": stack.assistant_api_url, "PLATFORM_TOKEN": token["TOKEN"]}
    verifying = {"LOG_VERIFY_KEYS": stack.env()["LOG_VERIFY_KEYS"], "TOOL_URL_LOOPBACK_ALLOWED": "true"}
    own_orgs = {"OWN_ORGS": org, "VAPI_REQUESTS_PER_MINUTE": "1200"}
    places = {
        "nobody": Terminal(shell, addresses),
        "shell": Terminal(shell | token, addresses),
        "admin": Terminal(shell | _administrator(stack.database_admin_url), addresses),
        "example": Terminal(
            shell,
            {
                **addresses,
                "postgresql://…": own_database,
                "KAFKA_BOOTSTRAP_SERVERS=…": f"KAFKA_BOOTSTRAP_SERVERS={stack.bootstrap_servers}",
            },
        ),
    }
    for service in SERVICES:
        env = stack.surroundings.env(service, stack.database(service), stack.ports[TITLES[service]])
        places[TITLES[service]] = Terminal(shell | env | token | asking | verifying | own_orgs, addresses)
        own = {"PORT": str(free_port()), "CONSOLE_PORT": str(free_port()), "LOG_FILE": str(folder / "other.log")}
        places[f"another {TITLES[service]}"] = Terminal(shell | env | own, addresses)
    return places


def place_of_copy(prepared: Prepared, server: postgres.Server) -> Terminal:
    """The shell of whoever administers another server, on which nothing runs."""
    shell = prepared.places["shell"]
    return Terminal(shell.env | _administrator(server.admin_url), shell.literals)


def place_of_stand_in(prepared: Prepared, url: str, assistant_id: str) -> Terminal:
    """The shell of whoever has a sandbox of one's own."""
    return Terminal(
        {**prepared.places["nobody"].env, "VAPI_SANDBOX_PORT": "0"},
        {
            "localhost:3003": url.removeprefix("http://"),
            "--port 3003": f"--port {free_port()}",
            '"assistantId": "…"': f'"assistantId": "{assistant_id}"',
            "<vapi org>": "org-a",
            "<another vapi org>": "org-b",
            "<secret>": "not-secret",
        },
    )


def _administrator(url: str) -> dict[str, str]:
    admin = urlsplit(url)
    return {
        "PGHOST": str(admin.hostname),
        "PGPORT": str(admin.port),
        "PGUSER": str(admin.username),
        "PGPASSWORD": str(admin.password),
        "PGSSLMODE": "disable",
    }


async def _letter(world: World) -> UUID:
    found: UUID = await eventually(
        lambda: world.log_db.fetchval("SELECT id FROM dead_letters"), within_seconds=PATIENCE_SECONDS
    )
    return found


async def _topic(world: World) -> str:
    name = f"replayed-{uuid4().hex[:6]}"
    await topics.create(world.stack.bootstrap_servers, [TopicSpec(name, 12)])
    return name


async def _database(world: World) -> str:
    await world.log_db.execute("CREATE DATABASE readiness")
    return urlsplit(world.stack.database("tool_sync").admin)._replace(path="/readiness").geturl()


def _for_the_checker(world: World, folder: Path, unread: int) -> None:
    stack = world.stack
    sources = {
        "assistant_api": stack.database("assistant_api").admin,
        "tool_sync": stack.database("tool_sync").admin,
        "kafka": stack.bootstrap_servers,
        "sandbox": stack.surroundings.vapi_base_url,
        "at_rest": False,
    }
    (folder / "SOURCES.json").write_text(json.dumps(sources))
    (folder / "dump").mkdir()
    poison = {"kind": "poison", "topic": INPUT, "partition": 0, "offset": unread}
    (folder / "dump/ledger.jsonl").write_text(f"{json.dumps(poison)}\n")


def _for_vapis_stand_in(folder: Path) -> None:
    (folder / "dials.json").write_text("{}")


def _appointment() -> dict[str, Any]:
    day = (datetime.now(UTC) + timedelta(days=7)).date().isoformat()
    patient = {"patientName": "Katherine Johnson", "patientPhone": PHONE, "service": "Check-up"}
    return {**patient, "appointmentDate": day, "appointmentTime": "11:00"}
