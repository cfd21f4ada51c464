"""Histories of a good run, spoilt in one place each. Every one must be caught by the promise that it breaks."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tests.checker.dump import Dump
from tests.checker.judge import judge
from tests.checker.selftest import spoilt, spoilt_gone, spoilt_logs, spoilt_orders
from tests.checker.selftest.group import Shared, group
from tests.checker.selftest.losing_stories import api_restored, log_restored, records_gone
from tests.checker.selftest.quiet import becomes_quiet
from tests.checker.selftest.scenarios import foreign_edits, plain, poisoned
from tests.checker.selftest.shipping import shipped


@dataclass(frozen=True, slots=True)
class Corruption:
    """``spoil`` changes a copy of the good dump; ``caught_by`` is the rule that must name it."""

    caught_by: str
    spoil: Callable[[Dump], None]


async def good_dump(shared: Shared) -> Dump:
    """Record a run of right services: saves of several clinics, somebody's edits, and all that is lost but a topic."""
    async with group(shared, "good") as made:
        await made.start("assistant_api", "assistant-api")
        await made.start("tool_sync", "tool-sync-1")
        await foreign_edits(made, await made.organization())
        await plain(made, await made.organization())
        await poisoned(made, await made.organization())
        for story in (log_restored, records_gone, api_restored, shipped):
            await story(made, await made.organization())
            assert await becomes_quiet(made, 30), f"the good run did not come to rest after {story.__name__}"
        dump = await made.collect()
    verdict = judge(dump)
    assert not verdict.violations, verdict.table()
    return dump


def not_caught(good: Dump, corruption: Corruption) -> str | None:
    """Spoil a copy and judge it; says what is wrong with the judge, or None."""
    spoilt = copy.deepcopy(good)
    corruption.spoil(spoilt)
    verdict = judge(spoilt)
    if corruption.caught_by in verdict.rules_broken:
        return None
    return f"{corruption.caught_by} did not notice; broken: {', '.join(sorted(verdict.rules_broken)) or 'nothing'}"


CORRUPTIONS: Final[Mapping[str, Corruption]] = {
    spoil.__name__: Corruption(rule, spoil)
    for rule, spoil in (
        ("I7", spoilt.drop_outcome_record),
        ("I1", spoilt.drop_saved_record),
        ("I1", spoilt.drop_outcome_event),
        ("I8", spoilt.second_outcome),
        ("I7", spoilt.sequence_hole),
        ("I7", spoilt.content_of_id_changes),
        ("I5", spoilt.swap_versions),
        ("I5", spoilt.flip_byte),
        ("I5", spoilt.drop_position),
        ("I2", spoilt.other_row),
        ("I2", spoilt.second_tool),
        ("I2a", spoilt.second_assistant),
        ("I4", spoilt.unlinked),
        ("I4", spoilt.foreign_tool_removed),
        ("I4", spoilt.foreign_field_changed),
        ("I4", spoilt.older_prompt),
        ("I11", spoilt.call_above_rate),
        ("I9", spoilt.cross_tenant_link),
        ("I3", spoilt.made_twice),
        ("I12", spoilt.prompt_on_topic),
        ("I14", spoilt.parked_good_record),
        ("I14", spoilt.poison_dropped),
        ("I14", spoilt.parked_twice),
        ("I1", spoilt.unreadable_without_outcome),
        ("I13", spoilt.work_left),
        ("I4", spoilt.foreign_mark_removed),
        ("I16", spoilt.inline_twin),
        ("I16", spoilt.tool_calls_not_sent),
        ("I16", spoilt.tool_called_elsewhere),
        ("I16", spoilt.dangling_foreign_id),
        ("I17", spoilt.marked_for_another),
        ("I17", spoilt.deleted_what_is_not_ours),
        ("I18", spoilt.made_with_anothers_tool),
        ("I18", spoilt.made_with_a_tool_before_it_was_told),
        ("I7", spoilt_logs.lost_log_goes_on),
        ("I7", spoilt_logs.lost_record_of_nobody),
        ("I7", spoilt_logs.set_back_without_a_fork),
        ("I7", spoilt_logs.new_log_out_of_order),
        ("I8", spoilt_logs.two_outcomes_in_lost_log),
        ("I13", spoilt_logs.lost_outcome_believed),
        ("I1", spoilt_gone.gone_and_not_told),
        ("I1", spoilt_gone.told_of_what_follows),
        ("I1", spoilt_gone.told_of_another_partition),
        ("I1", spoilt_gone.made_again_told_of_what_was_deleted),
        ("I1", spoilt_gone.told_of_what_is_there),
        ("I1", spoilt_gone.told_of_what_was_read),
        ("I1", spoilt_gone.save_without_any_row),
        ("I1", spoilt_gone.lost_save_never_sent),
        ("I19", spoilt_orders.decided_on_an_older_fleet),
        ("I19", spoilt_orders.written_for_another_order),
        ("I19", spoilt_orders.stage_opened_early),
        ("I19", spoilt_orders.clinic_left_behind),
        ("I19", spoilt_orders.more_than_planned),
        ("I19", spoilt_orders.written_outside_its_window),
        ("I19", spoilt_orders.nothing_came_when_it_opened),
        ("I19", spoilt_orders.pinned_and_moved),
        ("I19", spoilt_orders.pin_ended_and_never_moved),
        ("I19", spoilt_orders.pin_ended_early),
    )
}
