"""The audit's all-clear: only for what was looked at, and with the names of what was not."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from tool_sync.queries.audit.accepted import Accepted
from tool_sync.queries.audit.history import History, Place, Save
from tool_sync.queries.audit.judge import Report, Verdict, judge
from tool_sync.queries.audit.looked import LiveRead, Unreached
from tool_sync.queries.coverage import Coverage

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
COVERAGE = Coverage(0, 0, 0, 0, 0, 0, 0, NOW)


def history(*saves: Save, answered: bool = True) -> History:
    found = History(saves={save.request_id: save for save in saves}, read={("assistants", 0): (7, 7 + len(saves))})
    if answered:
        found.answers = {save.request_id: {"event": save.at + timedelta(seconds=1)} for save in saves}
    return found


def save(at: datetime = NOW - HOUR) -> Save:
    return Save(Place("assistants", 0, 7), uuid4(), UUID(int=1), "agent-1", at, None)


def accepted(at: datetime) -> Accepted:
    return Accepted(uuid4(), UUID(int=1), "agent-1", "saved", at)


def judged(
    found: History, told: list[Accepted] | None = None, *, since: datetime | None = None, until: datetime | None = None
) -> Report:
    return judge(found, told, {}, COVERAGE, now=NOW, until=until, patience=HOUR, since=since)


def test_an_audit_that_looked_at_nothing_is_not_complete() -> None:
    report = judged(history())
    assert (report.is_complete, report.has_gaps, report.judged) == (False, False, 0)
    assert "no save at all" in report.looked_at


def test_saves_that_retention_has_eaten_do_not_make_it_complete() -> None:
    report = judged(history(), [accepted(NOW - HOUR)])
    assert report.counts == {Verdict.EXPIRED: 1}
    assert not report.is_complete
    assert "1 accepted saves that are older than the first save on the topic" in report.not_looked_at


def test_complete_is_said_only_of_what_was_compared_with_assistant_api() -> None:
    assert not judged(history(save())).is_complete
    assert judged(history(save()), []).is_complete


def test_lost_records_are_a_gap() -> None:
    report = judge(history(save()), [], {}, COVERAGE, now=NOW, until=None, patience=HOUR, lost=["assistants 0"])
    assert (report.has_gaps, report.is_complete) == (True, False)


def test_one_save_with_its_outcome_says_how_far_it_looked() -> None:
    report = judged(history(save()))
    assert (report.has_gaps, report.judged) == (False, 1)
    assert report.looked_at == (
        "assistants: 1 offsets of 1 partitions",
        "1 saves, from 2026-11-28 11:00:00 UTC to 2026-11-28 11:00:00 UTC",
    )
    assert report.not_looked_at[0].startswith("not compared with what assistant-api accepted")


def test_a_gap_is_no_all_clear_whatever_else_was_looked_at() -> None:
    report = judged(history(save(NOW - 2 * HOUR), answered=False), [])
    assert (report.is_complete, report.has_gaps) == (False, True)
    assert not any("not compared" in what for what in report.not_looked_at)


def test_a_window_and_what_retention_deleted_are_named() -> None:
    found = history(save())
    found.gone = {("assistants", 0): 7, ("assistants", 1): 9, ("outcomes", 0): 1}
    report = judged(found, [], since=NOW - 2 * HOUR, until=NOW)
    assert "what came before 2026-11-28 10:00:00 UTC" in report.not_looked_at
    assert "saves after 2026-11-28 12:00:00 UTC" in report.not_looked_at
    assert "assistants: records that its retention has deleted, in 2 partition(s)" in report.not_looked_at
    assert "outcomes: records that its retention has deleted, in 1 partition(s)" in report.not_looked_at


def test_a_window_that_ends_before_every_save_looked_at_none() -> None:
    assert not judged(history(save()), until=NOW - 3 * HOUR).is_complete


def read(*unreached: Unreached, not_read: tuple[str, ...] = ()) -> LiveRead:
    return LiveRead(2, 5, 1, unreached, not_read, ("traffic splits: this account has no access to them",))


def with_live(live: LiveRead | None) -> Report:
    one = save()
    return judge(history(one), [], {}, COVERAGE, now=NOW, until=None, patience=HOUR, live=live)


def test_an_audit_that_did_not_read_vapi_says_so() -> None:
    report = with_live(None)
    assert report.is_complete
    assert any(what.startswith("Vapi, which was not read") for what in report.not_looked_at)


def test_what_was_read_at_vapi_is_named_with_what_was_not() -> None:
    report = with_live(read())
    assert report.is_complete
    assert "2 assistants at Vapi that the log calls synced, with 5 calls" in report.looked_at
    assert "traffic splits: this account has no access to them" in report.not_looked_at
    assert any(what.startswith("1 assistants at Vapi that cannot book as it is") for what in report.not_looked_at)
    assert not any("Vapi, which was not read" in what for what in report.not_looked_at)


def test_an_assistant_that_no_caller_reaches_is_a_gap() -> None:
    report = with_live(read(Unreached(UUID(int=1), "agent-1", "vapi-1", "book: the assistant does not name it")))
    assert (report.has_gaps, report.is_complete) == (True, False)


def test_vapi_read_in_part_is_not_complete() -> None:
    report = with_live(read(not_read=("7 assistants that Vapi did not show",)))
    assert (report.has_gaps, report.is_complete) == (False, False)
    assert "7 assistants that Vapi did not show" in report.not_looked_at
