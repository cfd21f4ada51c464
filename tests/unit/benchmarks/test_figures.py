"""What the benchmark makes of its measurements, and what it refuses to call one."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from aiokafka import ConsumerRecord
from benchmarks.errors import NotMeasured
from benchmarks.figures import percentile
from benchmarks.outcomes import check_all_synced
from benchmarks.rows import Row, write

from zerotouch_contracts.envelope import to_record
from zerotouch_contracts.events import SettledRequest, SyncedTool, ToolsSynced, ToolSyncFailed

TOOL = SyncedTool(name="bookClinicAppointment", vapi_tool_id="tool-1", definition_version=1)


def consumed(message: ToolsSynced | ToolSyncFailed) -> "ConsumerRecord[bytes, bytes]":
    """The message as a consumer gets it."""
    made = to_record(message, id=uuid4(), time=datetime.now(UTC), log_id=uuid4())
    return ConsumerRecord("outcomes", 0, 0, 0, 0, made.key, made.value, None, 0, 0, made.headers)


def synced(*requests: UUID, tools: tuple[SyncedTool, ...] = (TOOL,)) -> "ConsumerRecord[bytes, bytes]":
    """An outcome that settles the requests."""
    settled = tuple(SettledRequest(request_id=request) for request in requests)
    return consumed(
        ToolsSynced(
            org_id=uuid4(), sequence=1, agent_id="a", assistant_id="b", revision=1, tools=tools, requests=settled
        )
    )


def test_a_higher_rate_than_the_peers_makes_a_ratio_above_one() -> None:
    assert Row("r", "x/s", "higher", (200.0,), (100.0,), "peer").ratio == 2


def test_a_shorter_time_than_the_peers_makes_a_ratio_above_one() -> None:
    assert Row("r", "s", "lower", (1.0,), (2.0,), "peer").ratio == 2


def test_the_median_of_the_rounds_counts() -> None:
    assert Row("r", "x/s", "higher", (1.0, 100.0, 3.0)).ours == 3


def test_a_row_without_a_peer_is_written_with_nulls_and_exactly_the_promised_fields(tmp_path: Path) -> None:
    write([Row("r", "MB", "lower", (150.0, 160.0, 155.0))], tmp_path)
    [row] = json.loads((tmp_path / "latest.json").read_text())
    assert list(row) == ["name", "ours", "peer", "peer_name", "ratio", "unit", "machine", "rounds"]
    assert (row["ours"], row["peer"], row["peer_name"], row["ratio"], row["rounds"]) == (155, None, None, None, 3)


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (99, 99), (100, 100), (0.5, 1)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, expected: float) -> None:
    assert percentile([float(value) for value in range(100, 0, -1)], percent) == expected


def test_outcomes_that_settle_each_save_once_are_accepted() -> None:
    first, second, third = uuid4(), uuid4(), uuid4()
    check_all_synced([synced(first, second), synced(third)], [third, second, first])


def test_a_save_without_an_outcome_is_not_measured() -> None:
    first, second = uuid4(), uuid4()
    with pytest.raises(NotMeasured, match="1 saves without one"):
        check_all_synced([synced(first)], [first, second])


def test_a_save_with_two_outcomes_is_not_measured() -> None:
    request = uuid4()
    with pytest.raises(NotMeasured, match="1 with several"):
        check_all_synced([synced(request), synced(request)], [request])


def test_an_outcome_without_a_tool_is_not_measured() -> None:
    request = uuid4()
    with pytest.raises(NotMeasured, match="ToolsSynced"):
        check_all_synced([synced(request, tools=())], [request])
