"""The catalogue of crash runs, and where answers are cut."""

from tests.crash.cuts import offsets
from tests.crash.points import ASSISTANT_API, COMMANDS, OPERATOR, TOOL_SYNC, catalogue


def test_every_port_of_every_flow_is_killed_stopped_and_cut_off_before_and_after() -> None:
    runs = catalogue(seed=1)
    found = {(run.service, run.flow, run.point.port, run.point.when, run.point.action) for run in runs}
    for service, flows in (("tool_sync", TOOL_SYNC), ("assistant_api", ASSISTANT_API), (COMMANDS, OPERATOR)):
        for flow, ports in flows.items():
            for port in ports:
                mine = {(when, action) for s, f, p, when, action in found if (s, f, p) == (service, flow, port)}
                assert len(mine) == (5 if port == "getmany" else 6), (service, flow, port)


def test_the_seed_decides_the_order_and_nothing_else() -> None:
    assert catalogue(seed=1) == catalogue(seed=1) != catalogue(seed=2)
    assert set(catalogue(seed=1)) == set(catalogue(seed=2))


def test_a_short_run_fails_at_every_port_of_every_flow() -> None:
    runs = catalogue(seed=1)
    ports = {(run.service, run.flow, run.point.port) for run in runs}
    assert {(run.service, run.flow, run.point.port) for run in runs[: len(ports)]} == ports


def test_an_answer_is_cut_at_every_byte_where_there_is_room() -> None:
    assert list(offsets(head=3, whole=10, count=11)) == list(range(11))


def test_else_at_every_byte_of_its_head_and_evenly_through_its_body_to_the_end() -> None:
    assert list(offsets(head=4, whole=100, count=9)) == [0, 1, 2, 3, 4, 28, 52, 76, 100]
