"""Whether a topic keeps what it acknowledged when a broker is lost. Deploy sets it; this says where it is not so."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from zerotouch_contracts.kafka import new_admin
from zerotouch_contracts.topics import UNCLEAN_ELECTION

REQUEST_MILLISECONDS: Final = 5000
REPLICAS_MIN: Final = 3
IN_SYNC_MIN: Final = 2
_IN_SYNC: Final = "min.insync.replicas"


async def topic_warnings(bootstrap_servers: str, topics: Iterable[str]) -> list[str]:
    """What of the promise does not hold for topics that exist, for operators. Raises aiokafka's ``KafkaError``."""
    admin = new_admin(bootstrap_servers, request_timeout_ms=REQUEST_MILLISECONDS)
    try:
        await admin.start()
        wanted = set(topics)
        known = {one["topic"]: one for one in await admin.describe_topics() if one["topic"] in wanted}
        configs = await _configs(admin, known)
    finally:
        await admin.close()
    return [warning for name in sorted(known) for warning in _of_topic(name, known[name], configs.get(name, {}))]


def _of_topic(name: str, topic: Any, configs: Mapping[str, str]) -> Iterator[str]:
    replicas = min((len(partition["replicas"]) for partition in topic["partitions"]), default=0)
    if replicas < REPLICAS_MIN:
        yield f"{name} has {replicas} replica(s), fewer than {REPLICAS_MIN}: losing a broker can lose records"
    if int(configs.get(_IN_SYNC, "1")) < IN_SYNC_MIN:
        yield f"{name} acknowledges with {configs.get(_IN_SYNC, '1')} replica(s) in sync, below {IN_SYNC_MIN}"
    if configs.get(UNCLEAN_ELECTION, "false") != "false":
        yield f"{name} allows unclean elections: a lagging replica may become the leader, and records are lost"


async def _configs(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, dict[str, str]]:
    wanted = {_IN_SYNC: None, UNCLEAN_ELECTION: None}
    found: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, n, wanted) for n in names]):
        for resource in response.resources:
            name, entries = resource[3], resource[4]
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found
