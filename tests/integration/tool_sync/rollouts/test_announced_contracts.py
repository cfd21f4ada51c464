"""What every live process of assistant-api announces becomes an event, where it is something else than before."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import ConsumerRecord

from tool_sync.domain.fleet.rollout import Refused
from tool_sync.rollouts import answered
from tool_sync.rollouts.answered import AnsweredContracts
from tool_sync.rollouts.applying import plan_order
from zerotouch_contracts.answering import AnsweredTool, ContractsAnnounced, announcement, announcement_record, key_of
from zerotouch_platform.kafka.topics import KafkaUnavailable

from .context import EVERYBODY
from .limits import BOOKING
from .world import World

OLD, NEW = (1, 2), (1, 2, 3)


@dataclass
class Settings:
    """What it reads of the service's."""

    kafka_bootstrap_servers: str = "nowhere:9092"
    contracts_topic: str = "contracts"


class Announced:
    """The topic, one partition of it."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.records: list[Any] = []
        self.look = AnsweredContracts(Settings(), world.pool, world.log, uuid4(), world.context.clock.now)  # type: ignore[arg-type]
        monkeypatch.setattr(answered, "newest_records", self._read)

    async def _read(self, _servers: str, _topic: str, count: int) -> list[list[Any]]:
        return [self.records[-count:]]

    def says(self, replica: UUID, contracts: Iterable[int], *, ago: timedelta = timedelta()) -> None:
        at = self.world.context.clock.now() - ago
        others = [one for one in announcement(replica, at).tools if one.name != BOOKING]
        tools = (*others, AnsweredTool(name=BOOKING, contracts=tuple(contracts)))
        record = announcement_record(ContractsAnnounced(replica=replica, tools=tools, at=at), id=uuid4())
        self._put(record.key, record.value, record.headers)

    def says_goodbye(self, replica: UUID) -> None:
        self._put(key_of(replica), None, ())

    def says_nonsense(self) -> None:
        self._put(b"?", b"\xff", ())

    def _put(self, key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> None:
        place = len(self.records)
        self.records.append(ConsumerRecord("contracts", 0, place, 0, 0, key, value, None, 0, 0, tuple(headers)))

    async def answered(self) -> set[int]:
        """The contracts of the booking tool that the fleet says are answered."""
        return {contract for name, contract in (await self.world.fleet()).answered if name == BOOKING}

    async def events(self) -> int:
        return len(await self.world.positions("ContractsAnswered"))


@pytest.fixture
def topic(world: World, monkeypatch: pytest.MonkeyPatch) -> Announced:
    return Announced(world, monkeypatch)


async def test_what_is_announced_as_this_release_knows_it_is_no_event(topic: Announced) -> None:
    topic.says(uuid4(), OLD)
    assert not await topic.look.run_once()
    assert await topic.events() == 0


async def test_a_contract_is_answered_once_every_live_process_answers_it(topic: Announced) -> None:
    first, second = uuid4(), uuid4()
    topic.says(first, NEW)
    topic.says(second, OLD)
    assert not await topic.look.run_once()

    topic.says(second, NEW)
    assert await topic.look.run_once()
    assert await topic.answered() == set(NEW)
    assert not await topic.look.run_once(), "nothing has changed since"
    assert await topic.events() == 1


async def test_a_process_that_said_goodbye_or_fell_silent_counts_no_more(topic: Announced) -> None:
    topic.says(gone := uuid4(), OLD)
    topic.says(uuid4(), OLD, ago=timedelta(seconds=61))
    topic.says_nonsense()
    topic.says(uuid4(), NEW)
    assert not await topic.look.run_once()

    topic.says_goodbye(gone)
    assert await topic.look.run_once()
    assert await topic.answered() == set(NEW)


async def test_where_nobody_lives_what_was_answered_last_stays(topic: Announced) -> None:
    topic.says(replica := uuid4(), NEW)
    await topic.look.run_once()
    topic.says_goodbye(replica)
    assert not await topic.look.run_once()
    assert await topic.answered() == set(NEW)


async def test_a_version_whose_contract_is_not_answered_any_more_cannot_be_ordered(
    world: World, topic: Announced
) -> None:
    await world.clinics(1)
    topic.says(uuid4(), (1,))
    assert await topic.look.run_once()
    refused = await plan_order(world.connection, world.log, BOOKING, 2, (EVERYBODY,), actor="operator")
    assert isinstance(refused, Refused)
    assert "contract 2" in refused.why


async def test_a_broker_that_is_away_changes_nothing(topic: Announced, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> list[list[Any]]:
        raise KafkaUnavailable("the broker is away")

    monkeypatch.setattr(answered, "newest_records", away)
    with pytest.raises(KafkaUnavailable):
        await topic.look.run_once()
    assert await topic.events() == 0


async def test_one_process_looks_at_a_time(world: World, topic: Announced, monkeypatch: pytest.MonkeyPatch) -> None:
    topic.says(uuid4(), NEW)
    other = Announced(world, monkeypatch)
    other.says(uuid4(), OLD)
    topic.records = other.records
    await topic.look.run_once()
    assert not await other.look.run_once(), "it is not its turn"
