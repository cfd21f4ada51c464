"""The same two servers in containers, for machines where a Docker engine answers.

Only official images; pytest's fixtures use them in place of the embedded servers (`fixtures`).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import docker  # type: ignore[import-untyped]
from docker.errors import DockerException  # type: ignore[import-untyped]
from testcontainers.core.container import DockerContainer

from devstack import jars, postgres, process, topics
from devstack.errors import NotPossible
from devstack.ports import HOST, free_port

POSTGRES_IMAGE = f"postgres:{postgres.VERSION}"
KAFKA_IMAGE = f"apache/kafka:{jars.VERSION}"
START_SECONDS = 90.0
POSTGRES_PORT, KAFKA_PORT = 5432, 9092


def unusable(image: str) -> str | None:
    """Says why a container of this image cannot be started here, or None; pulls the image where it is missing."""
    try:
        client = docker.from_env(timeout=120)
        client.ping()
    except DockerException as error:
        return f"no Docker engine answers ({error})"
    try:
        if not client.images.list(name=image):
            client.images.pull(*image.split(":"))
    except DockerException as error:
        return f"the Docker engine cannot get {image} ({error})"
    finally:
        client.close()
    return None


@asynccontextmanager
async def postgres_server() -> AsyncIterator[str]:
    """Runs PostgreSQL in a container and yields the superuser's URL."""
    port = free_port()
    container = (
        DockerContainer(POSTGRES_IMAGE)
        .with_env("POSTGRES_PASSWORD", postgres.PASSWORD)
        .with_bind_ports(POSTGRES_PORT, port)
        .with_command(f"postgres -c max_connections={postgres.CONNECTIONS_MAX} -c fsync=off -c full_page_writes=off")
    )
    with container:
        host = container.get_container_host_ip()
        url = f"postgresql://{postgres.ADMIN}:{postgres.PASSWORD}@{host}:{port}/postgres?sslmode=disable"
        await _ready(container, await process.wait_until(lambda: postgres.not_answering(url), START_SECONDS))
        yield url


@asynccontextmanager
async def kafka_broker() -> AsyncIterator[str]:
    """Runs Kafka in a container and yields its bootstrap servers."""
    port = free_port()  # known before the start, because the broker must tell its clients this address
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": "1@localhost:9093",
        "listeners": f"CLIENT://:{KAFKA_PORT},CONTROLLER://:9093",
        "advertised.listeners": f"CLIENT://{HOST}:{port}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
    }
    container = DockerContainer(KAFKA_IMAGE).with_bind_ports(KAFKA_PORT, port)
    for name, value in settings.items():
        container.with_env(f"KAFKA_{name.replace('.', '_').upper()}", value)
    with container:
        servers = f"{HOST}:{port}"
        await _ready(container, await process.wait_until(lambda: topics.not_answering(servers), START_SECONDS))
        yield servers


async def _ready(container: DockerContainer, reason: str | None) -> None:
    if reason is not None:
        output, errors = container.get_logs()
        text = (output + errors).decode(errors="replace")
        raise NotPossible(f"{container.image} is not ready within {START_SECONDS:.0f} s: {reason}\n{text[-4000:]}")
