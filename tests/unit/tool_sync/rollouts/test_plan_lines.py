"""A plan as people read it: at 80 columns, whatever is in it."""

import pytest

from tool_sync.cli.rollout_show import plan_document, plan_lines
from tool_sync.domain.events import RolloutStage
from tool_sync.rollouts.stages import careful_stages

from ..domain.fleets import EVERYBODY
from .plans import planned

BOOKING = "bookClinicAppointment"


def test_a_plan_says_clinics_assistants_calls_stages_and_the_floor() -> None:
    plan = planned(
        {"update": (9_641, 14_203), "already": (12, 20), "left": (309, 400), "refused": (31, 33), "unused": (5, 0)},
        stages=careful_stages(()),
        tool=BOOKING,
        version=3,
        outside=2,
    )
    assert list(plan_lines(plan, 1_200)) == [
        "bookClinicAppointment -> 3    rollout 9c4e71d2",
        "                                                   clinics  assistants",
        "  update in place (PATCH /tool)                      9,641      14,203",
        "  already so                                            12          20",
        "  left as they are, by setting, tier or contract       309         400",
        "  blocked: Vapi refused this definition                 31          33",
        "  without an assistant: with their first save            5           0",
        "  stages  1 %: 0, bake 30 min -> 10 %: 0, bake 30 min -> all: 9,998",
        "  2 clinics are of no stage",
        "  9,641 calls of Vapi's; floor at 1,200/min 8 min 2 s",
        "  plan digest, as of position 48,112,390; nothing was sent",
    ]


def test_a_plan_without_the_key_s_rate_says_so() -> None:
    lines = list(plan_lines(planned({"add": (2, 3)}, version=None), None))
    assert lines[0] == "book -> none    rollout 9c4e71d2"
    assert "  8 calls of Vapi's; no limit of the key's rate is set" in lines


@pytest.mark.parametrize("count", [1, 20])
def test_no_line_of_a_plan_is_wider_than_80_columns(count: int) -> None:
    stages = tuple(RolloutStage(f"clinics of the {n} group, by their names", 1, bake_seconds=60) for n in range(count))
    everything = dict.fromkeys(("update", "add", "remove", "already", "left", "refused", "unused"), (10**9, 10**9))
    plan = planned(everything, stages=(*stages, EVERYBODY), tool="t" * 64, outside=10**9)
    lines = list(plan_lines(plan, 1))
    assert max(map(len, lines)) <= 80
    assert all(stage.name in " ".join(" ".join(lines).split()) for stage in stages)


def test_a_script_gets_the_plan_in_numbers() -> None:
    document = plan_document(planned({"update": (40, 40)}, outside=2), 960)
    assert document["counts"] == {"update": 40, "add": 0, "remove": 0, "already": 0, "left": 0, "calls": 40}
    assert (document["rollout_id"], document["digest"], document["version"]) == ("9c4e71d2", "digest", 1)
    assert (document["clinics"]["update"], document["assistants"]["update"]) == (40, 40)
    assert (document["stage_clinics"], document["outside"], document["floor_seconds"]) == ([40], 2, 2.5)
    assert plan_document(planned({}), None)["floor_seconds"] is None
