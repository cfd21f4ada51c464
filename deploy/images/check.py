"""`make images-test`: the images run as docker-compose.yml says, and do their work.

Where the engine has or can pull the official images, the whole docker-compose.yml is brought up. Elsewhere PostgreSQL
and Kafka are devstack's, on this machine, and what runs in containers are our own services as that file describes
them (user, capabilities, read-only root, checks), on the host's network. Either way: topics, databases and
migrations; every service gets healthy; a clinic's assistant is saved and its tool arrives; no process has more rights
than it should; every service stops cleanly. Whatever was started is removed.
"""

import json
import logging
import os
import shlex
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from deploy.images import surroundings
from deploy.images.project import ROOT, CheckFailed, Project, say, succeeds

from devstack import process, tokens
from devstack.ports import HOST

TOOL = "bookClinicAppointment"
HEALTHY_SECONDS = 120.0
SYNCED_SECONDS = 30.0
# Run inside each container: what the process with number 1 may do, and where its user can write.
LOOK = """
import json, os
status = dict(line.split(":\\t", 1) for line in open("/proc/1/status").read().splitlines() if ":\\t" in line)
def writes(folder):
    try:
        open(folder + "/probe", "w").close()
    except OSError as error:
        return type(error).__name__ + " " + str(error.errno)
    os.remove(folder + "/probe")
    return "yes"
print(json.dumps({
    "uid": status["Uid"].split()[0], "capabilities": int(status["CapEff"], 16), "bounding": int(status["CapBnd"], 16),
    "no_new_privileges": status["NoNewPrivs"], "seccomp": status["Seccomp"], "root": writes("/"), "tmp": writes("/tmp"),
    "packages": writes("/opt/venv"), "pip": os.path.exists("/opt/venv/bin/pip"),
}))
"""
EXPECTED = {
    "uid": "10001", "capabilities": 0, "bounding": 0, "no_new_privileges": "1", "seccomp": "2",
    "root": "OSError 30", "tmp": "yes", "packages": "OSError 30", "pip": False,
}  # fmt: skip


async def healthy(project: Project, service: str) -> None:
    """Waits until the engine calls the service healthy; raises `CheckFailed` with what its checks said."""

    async def not_yet() -> str | None:
        state = project.inspect(service)["State"]
        if state["Health"]["Status"] == "healthy":
            return None
        return (
            f"{state['Status']}, {state['Health']['Status']}: {[entry['Output'] for entry in state['Health']['Log']]}"
        )

    if (reason := await process.wait_until(not_yet, HEALTHY_SECONDS)) is not None:
        raise CheckFailed(f"{service} is not healthy within {HEALTHY_SECONDS:.0f} s: {reason}\n{project.logs()}")


async def saves_an_assistant(ports: Mapping[str, int]) -> None:
    """Saves a clinic's assistant over HTTP and waits until its tool is registered, recorded and linked."""
    token = tokens.signer(ROOT / ".devstack").platform_token()
    headers = {"Authorization": f"Bearer {token}"}
    api, tool_sync = (f"http://{HOST}:{ports[name]}" for name in ("assistant-api", "tool-sync"))
    async with httpx.AsyncClient(headers=headers, timeout=20) as client:
        org = _answer(await client.post(f"{api}/api/organizations", json={"name": "Test Clinic"}))
        agent = {"orgId": org["id"], "name": "Reception"}
        saved = _answer(await client.post(f"{api}/api/agents", json=agent))

        async def not_synced() -> str | None:
            answer = await client.get(f"{api}/api/assistants/{saved['agentId']}/status", params={"orgId": org["id"]})
            return None if _answer(answer)["toolsRegistered"] == [TOOL] else answer.text

        if (reason := await process.wait_until(not_synced, SYNCED_SECONDS)) is not None:
            raise CheckFailed(f"the tool did not arrive within {SYNCED_SECONDS:.0f} s: {reason}")
        tools = await client.get(f"{tool_sync}/v1/orgs/{org['id']}/tools")
        if TOOL not in json.dumps(_answer(tools)):
            raise CheckFailed(f"tool-sync does not know the tool: {tools.text}")


def has_no_rights(project: Project, service: str) -> None:
    """Compares what a process in the container may do with `EXPECTED`."""
    found = json.loads(project.python(service, LOOK))
    if found != EXPECTED:
        raise CheckFailed(f"{service}: expected {EXPECTED}, found {found}")


def ends_cleanly(project: Project) -> None:
    """Stops our services while their servers still run; each must end by itself, with status 0."""
    project.stop(surroundings.PORTS)
    for service in surroundings.PORTS:
        state = project.inspect(service)["State"]
        if state["Running"] or state["ExitCode"] != 0 or state["OOMKilled"]:
            raise CheckFailed(f"{service} did not stop cleanly: {state}\n{project.logs()}")


async def check() -> None:
    """Runs all of it; raises `CheckFailed` at the first thing that is not as it should be."""
    docker = shlex.split(os.environ.get("DOCKER", "docker"))
    if not succeeds([*docker, "version"]):
        raise CheckFailed("no Docker engine answers; start one and try again")
    compose = next((c for c in ([*docker, "compose"], ["docker-compose"]) if succeeds([*c, "version"])), None)
    if compose is None:
        raise CheckFailed("neither `docker compose` nor `docker-compose` can be run; on Debian: docker-compose")
    with tempfile.TemporaryDirectory(prefix="zerotouch-images-") as folder:
        async with surroundings.project(docker, compose, Path(folder)) as (project, ports):
            say("topics, migrations and services start")
            project.up()
            for service in ports:
                await healthy(project, service)
                say(f"{service} is healthy")
            await saves_an_assistant(ports)
            say(f"an assistant was saved and has {TOOL}")
            for service in ports:
                has_no_rights(project, service)
            say("every process runs as 10001, without capabilities, on a read-only root file system")
            ends_cleanly(project)
            say("every service stopped by itself, with status 0")


def _answer(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        raise CheckFailed(f"{response.request.method} {response.url} answers {response.status_code}: {response.text}")
    body: dict[str, Any] = response.json()
    return body


def main() -> int:
    """Runs the check; returns its exit status."""

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it reports every attempt against a starting broker

    async def checked() -> int:
        try:
            await check()
        except (CheckFailed, process.StartFailed) as error:
            say(f"FAILED: {error}")
            return 1
        say("passed")
        return 0

    return process.run(checked())


if __name__ == "__main__":
    sys.exit(main())
