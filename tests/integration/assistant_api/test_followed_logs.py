"""Which log of tool-sync's an assistant's status follows: a restored one begins anew, an older one never wins."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog

from assistant_api.outcomes.apply import apply_outcomes
from zerotouch_contracts.events import ToolsSynced
from zerotouch_contracts.subscriber import Delivered

from .harness import Harness

A, B, C = uuid4(), uuid4(), uuid4()
BEGAN = datetime.now(UTC)


@dataclass
class Clinic:
    """One clinic's outcomes, as they come from the topic."""

    harness: Harness
    org_id: UUID

    def outcome(self, log: UUID, sequence: int, minute: int, revision: int, agent: str = "a", **more: Any) -> Delivered:
        """An outcome that names ``revision``, so that it can be told which one is kept."""
        message = ToolsSynced(
            org_id=self.org_id,
            sequence=sequence,
            agent_id=agent,
            assistant_id="assistant-1",
            revision=revision,
            tools=(),
            requests=(),
            cause="recovered",
        )
        time = BEGAN + timedelta(minutes=minute)
        return Delivered(message, more.get("id", f"{log}-{sequence}"), time, log)

    async def hear(self, *delivered: Delivered) -> None:
        """One batch."""
        async with self.harness.service.database.transaction() as connection:
            await apply_outcomes(connection, delivered)

    async def kept(self, agent: str = "a") -> tuple[UUID | None, int, int] | None:
        """Log, sequence and revision of what the status shows."""
        row = await self.harness.owner.fetchrow(
            "SELECT log_id, sequence, revision FROM outcomes WHERE org_id = $1 AND agent_id = $2", self.org_id, agent
        )
        return None if row is None else tuple(row)


async def clinic(harness: Harness) -> Clinic:
    return Clinic(harness, await harness.organization())


async def test_after_a_restore_a_lower_number_of_the_new_log_is_shown(harness: Harness) -> None:
    it = await clinic(harness)
    await it.hear(it.outcome(A, 7, 0, revision=70))
    await it.hear(it.outcome(B, 3, 10, revision=80))
    assert await it.kept() == (B, 3, 80)
    await it.hear(it.outcome(B, 4, 11, revision=81), it.outcome(B, 2, 9, revision=79))
    assert await it.kept() == (B, 4, 81)


async def test_both_logs_in_one_batch(harness: Harness) -> None:
    it = await clinic(harness)
    await it.hear(it.outcome(A, 7, 0, 70), it.outcome(B, 3, 10, 80), it.outcome(A, 8, 1, 71), it.outcome(B, 4, 11, 81))
    assert await it.kept() == (B, 4, 81)


async def test_what_an_older_log_says_late_never_wins(harness: Harness) -> None:
    it = await clinic(harness)
    await it.hear(it.outcome(A, 7, 0, revision=70), it.outcome(B, 3, 10, revision=80))
    with structlog.testing.capture_logs() as logs:
        await it.hear(it.outcome(A, 90, 99, revision=90))  # its own clock runs on
    assert await it.kept() == (B, 3, 80)
    assert [line["event"] for line in logs] == ["outcome_of_an_older_log"]
    await it.hear(it.outcome(C, 1, 100, revision=100), it.outcome(B, 9, 101, revision=89), it.outcome(A, 91, 102, 91))
    assert await it.kept() == (C, 1, 100)


async def test_an_older_log_that_is_heard_of_first_afterwards_does_not_win_either(harness: Harness) -> None:
    """Partitions were added, so an org's older records are on another one, and are read later."""
    it = await clinic(harness)
    await it.hear(it.outcome(B, 3, 10, revision=80))
    await it.hear(it.outcome(A, 7, 0, revision=70))
    assert await it.kept() == (B, 3, 80)
    await it.hear(it.outcome(B, 4, 11, revision=81))
    assert await it.kept() == (B, 4, 81)


async def test_a_late_word_about_an_assistant_that_the_new_log_has_not_spoken_of_is_left_out(harness: Harness) -> None:
    it = await clinic(harness)
    await it.hear(it.outcome(B, 3, 10, revision=80))
    await it.hear(it.outcome(A, 7, 0, revision=70, agent="b"))
    assert await it.kept("b") is None
    await it.hear(it.outcome(B, 4, 11, revision=81, agent="b"))
    assert await it.kept("b") == (B, 4, 81)


async def test_what_was_kept_before_logs_were_noted_goes_on_by_its_number(harness: Harness) -> None:
    it = await clinic(harness)
    await it.hear(it.outcome(A, 7, 0, revision=70))
    await harness.owner.execute("UPDATE outcomes SET log_id = NULL")
    await harness.owner.execute("DELETE FROM followed_logs")
    await it.hear(it.outcome(A, 6, 1, revision=69))
    assert await it.kept() == (None, 7, 70)
    await it.hear(it.outcome(A, 8, 2, revision=71))
    assert await it.kept() == (A, 8, 71)


async def test_one_clinics_restore_says_nothing_of_anothers_log(harness: Harness) -> None:
    one, other = await clinic(harness), await clinic(harness)
    await one.hear(one.outcome(A, 7, 0, 70), one.outcome(B, 3, 10, 80), other.outcome(A, 7, 0, 70))
    assert (await one.kept(), await other.kept()) == ((B, 3, 80), (A, 7, 70))


async def test_the_same_number_under_another_id_is_an_alarm_and_changes_nothing(harness: Harness) -> None:
    it = await clinic(harness)
    await it.hear(it.outcome(A, 7, 0, revision=70))
    with structlog.testing.capture_logs() as logs:
        await it.hear(it.outcome(A, 7, 1, revision=71, id="another"))
    assert await it.kept() == (A, 7, 70)
    assert [(line["event"], line["alarm"]) for line in logs] == [("outcomes_rewritten", True)]


async def test_everything_again_from_the_beginning_changes_nothing(harness: Harness) -> None:
    it = await clinic(harness)
    topic = [it.outcome(A, 1, 0, 1), it.outcome(A, 2, 1, 2), it.outcome(B, 2, 10, 3), it.outcome(B, 3, 11, 4)]
    await it.hear(*topic)
    await it.hear(*topic)
    for one in topic:
        await it.hear(one)
    assert await it.kept() == (B, 3, 4)


async def test_an_outcome_of_an_organization_that_is_gone_is_left_out(harness: Harness) -> None:
    it = await clinic(harness)
    await it.hear(Clinic(harness, uuid4()).outcome(A, 1, 0, 1), it.outcome(A, 1, 0, 1))
    assert await it.kept() == (A, 1, 1)
