#!/usr/bin/env python
"""Creates the topics of the wire contract, as a step of the deployment; no client ever creates one.

    create-topics [--replication-factor N] [--partitions N]       with KAFKA_BOOTSTRAP_SERVERS

It may be repeated: a topic that exists stays as it is. Status 1 with a reason where the broker cannot be reached or
refuses, or where an existing topic has another number of partitions: that is fixed at creation, because keys keep
their order. It is part of the image of tool-sync, which has the client of Kafka and the contract.
"""

import argparse
import asyncio
import os
import sys

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from zerotouch_contracts.kafka import new_admin
from zerotouch_contracts.topics import PARTITIONS_DEFAULT, TOPICS, durability

REQUEST_TIMEOUT_MS = 10_000
KNOWN_SECONDS_MAX = 20.0
POLL_SECONDS = 0.1


class Refused(Exception):
    """A topic is not as it should be; the message says which, and why."""


async def create(bootstrap_servers: str, *, partitions: int, replication_factor: int) -> dict[str, bool]:
    """Creates what is missing and returns, by topic, whether it was made now; raises `Refused` or `KafkaError`."""
    client = new_admin(bootstrap_servers, request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await client.start()
        kept = durability(replication_factor)
        new = [NewTopic(t.name, partitions, replication_factor, topic_configs={**t.configs, **kept}) for t in TOPICS]
        response = await client.create_topics(new, timeout_ms=REQUEST_TIMEOUT_MS)
        made = {}
        for name, code, message in response.topic_errors:
            if code not in (0, TopicAlreadyExistsError.errno):
                raise Refused(f"{name}: the broker refuses with error {code}: {message}")
            made[name] = code == 0
        async with asyncio.timeout(KNOWN_SECONDS_MAX):
            while not await _as_wanted(client, partitions):  # noqa: ASYNC110 - the brokers tell nobody
                await asyncio.sleep(POLL_SECONDS)
        return made
    finally:
        await client.close()


async def _as_wanted(client: AIOKafkaAdminClient, partitions: int) -> bool:
    """Whether the brokers know every topic; a topic may need a moment after its creation."""
    found = {topic["topic"]: topic for topic in await client.describe_topics([topic.name for topic in TOPICS])}
    for topic in TOPICS:
        known = found.get(topic.name)
        if known is None or known["error_code"] or not known["partitions"]:
            return False
        if (number := len(known["partitions"])) != partitions:
            raise Refused(f"{topic.name}: expected {partitions} partitions, found {number}; the number cannot change")
        if any(partition["leader"] < 0 for partition in known["partitions"]):
            return False
    return True


def main() -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="create-topics", description="Create the topics of the wire contract.")
    parser.add_argument("--partitions", type=int, default=PARTITIONS_DEFAULT)
    parser.add_argument("--replication-factor", type=int, default=1)
    arguments = parser.parse_args()
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if not servers:
        print("create-topics: KAFKA_BOOTSTRAP_SERVERS is missing", file=sys.stderr)
        return 2
    try:
        made = asyncio.run(
            create(servers, partitions=arguments.partitions, replication_factor=arguments.replication_factor)
        )
    except (Refused, KafkaError, OSError, TimeoutError) as error:
        print(f"create-topics: {type(error).__name__}: {error} (Kafka at {servers})", file=sys.stderr)
        return 1
    for name, new in made.items():
        print(f"create-topics: {name} {'was created' if new else 'exists'}, {arguments.partitions} partitions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
