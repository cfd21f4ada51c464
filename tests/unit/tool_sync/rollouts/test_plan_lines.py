"""A plan as people read it: at 80 columns, whatever is in it."""

import pytest

from tool_sync.domain.events import RolloutStage
from tool_sync.rollouts.plan_lines import plan_lines
from tool_sync.rollouts.stages import careful_stages
from tool_sync.sync.object_looks import OldestLook

from ..domain.fleets import EVERYBODY
from .plans import AT, planned

BOOKING = "bookClinicAppointment"


def test_a_plan_says_clinics_assistants_calls_stages_and_the_floor() -> None:
    plan = planned(
        {"update": (9_641, 14_203), "already": (12, 20), "left": (309, 400), "refused": (31, 33), "unused": (5, 0)},
        stages=careful_stages(()),
        tool=BOOKING,
        version=3,
        outside=2,
        contract=2,
    )
    plan.tally.left_by.update({"pinned": 21, "setting": 280, "tier": 8})
    plan.tally.trouble.update({"pinned at Vapi": 3, "traffic split": 2, "last sync failed": 31, "key paused": 2})
    plan.oldest_look = OldestLook("assistant", "a", AT, 68_580.0)
    assert list(plan_lines(plan, 1_200)) == [
        "bookClinicAppointment -> 3    rollout 9c4e71d2",
        "                                                   clinics  assistants",
        "  update in place (PATCH /tool)                      9,641      14,203",
        "  already so                                            12          20",
        "  left as they are                                     309         400",
        "    pinned 21 · switched off 280 · for a higher tier 8",
        "  blocked: Vapi refused this definition                 31          33",
        "  without an assistant: with their first save            5           0",
        "  of these linked, not live: pinned at Vapi 3 · traffic split 2",
        "  of these blocked: last sync failed 31 · key paused 2",
        "    as last looked, 19 h 3 min ago at most",
        "  stages  1 %: 0, bake 30 min -> 10 %: 0, bake 30 min -> all: 9,998",
        "  gate    contract 2 is tried out at 5 clinics before each stage, if",
        "          ASSISTANT_API_URL is set for tool-sync",
        "  calls   v3 not worse than before (sequential test, 5 %), 40 calls or 12 h",
        "  2 clinics are of no stage",
        "  9,641 calls of Vapi's; floor at 1,200/min 8 min 2 s",
        "  plan digest, as of position 48,112,390; nothing was sent",
    ]


def test_a_plan_without_the_key_s_rate_says_so() -> None:
    lines = list(plan_lines(planned({"add": (2, 3)}, version=None), None))
    assert lines[0] == "book -> none    rollout 9c4e71d2"
    assert "  8 calls of Vapi's; no limit of the key's rate is set" in lines


def test_a_plan_says_that_nothing_is_tried_or_seen_of_another_service() -> None:
    plan = planned({"add": (2, 3)}, stages=careful_stages(()))
    assert plan.document(None)["gates"] == [
        "no dry run, as another service answers (contract 0)",
        "40 calls or 12 h; none is seen of another service, so that only time or promote opens the stage",
    ]
    assert planned({"remove": (2, 3)}, version=None).document(None)["gates"] == []


@pytest.mark.parametrize("count", [1, 20])
def test_no_line_of_a_plan_is_wider_than_80_columns(count: int) -> None:
    stages = tuple(RolloutStage(f"clinics of the {n} group, by their names", 1, bake_seconds=60) for n in range(count))
    everything = dict.fromkeys(("update", "add", "remove", "already", "left", "refused", "unused"), (10**9, 10**9))
    plan = planned(everything, stages=(*stages, EVERYBODY), tool="t" * 64, outside=10**9)
    lines = list(plan_lines(plan, 1))
    assert max(map(len, lines)) <= 80
    assert all(stage.name in " ".join(" ".join(lines).split()) for stage in stages)


def test_a_script_gets_the_plan_in_numbers() -> None:
    plan = planned({"update": (40, 40)}, outside=2)
    plan.tally.left_by["pinned"] = 2
    plan.oldest_look = OldestLook("tool", "t", AT, 60.0)
    document = plan.document(960)
    assert (document["left_by"], document["trouble"], document["oldest_look"]) == ({"pinned": 2}, {}, AT)
    assert document["counts"] == {"update": 40, "add": 0, "remove": 0, "already": 0, "left": 0, "calls": 40}
    assert (document["rollout_id"], document["digest"], document["version"]) == ("9c4e71d2", "digest", 1)
    assert (document["clinics"]["update"], document["assistants"]["update"]) == (40, 40)
    assert (document["stage_clinics"], document["outside"], document["floor_seconds"]) == ([40], 2, 2.5)
    assert planned({}).document(None)["floor_seconds"] is None
