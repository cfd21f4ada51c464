"""Services that are wrong in one way each. Every one must be caught, by one of the promises named here.

Patches take hold of few, narrow places of the services, and fail with an error where such a place is gone: a mutant
that no longer changes anything would be one that nobody catches.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tests.checker.selftest import wrong_assistants, wrong_messages, wrong_orders, wrong_reach, wrong_writes


@dataclass(frozen=True, slots=True)
class Mutant:
    """``caught_by``: any of these rules. ``patch`` runs in the process of ``service``; ``sql`` on its database."""

    name: str
    scenario: str
    caught_by: frozenset[str]
    patch: Callable[[], None] | None = None
    sql: str | None = None
    service: str = "tool_sync"


PROJECTION_DRIFT: Final = """
CREATE OR REPLACE FUNCTION fold_org_tools(from_position bigint, to_position bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO org_tools (id, org_id, tool_name, vapi_tool_id, account, definition_version, definition_hash,
                         created_at, updated_at, position)
  SELECT position, org_id, data->>'name', data->>'vapi_tool_id', data->>'account',
         (data->>'definition_version')::int + 1, data->>'definition_hash', recorded_at, recorded_at, position
  FROM events WHERE position > from_position AND position <= to_position AND type = 'ToolRegistered'
  ON CONFLICT (org_id, tool_name) DO NOTHING;
END $$
"""


def _mutant(patch: Callable[[], None], scenario: str, *rules: str, service: str = "tool_sync") -> Mutant:
    return Mutant(patch.__name__, scenario, frozenset(rules), patch, service=service)


_ALL: Final = (
    _mutant(wrong_writes.no_fence, "killed_after_call", "I3"),
    _mutant(wrong_writes.no_settle_time, "late_tool", "I3"),
    _mutant(wrong_writes.no_adoption, "lost_answer", "I3"),
    _mutant(wrong_writes.no_send_window, "paused_before_sending", "I3"),
    _mutant(wrong_writes.forks_without_looking, "log_restored", "I3"),
    _mutant(wrong_writes.looks_in_its_own_time, "clock_skewed", "I3"),
    _mutant(wrong_messages.ack_before_commit, "killed_before_append", "I1", "I14"),
    _mutant(wrong_messages.cursor_before_publish, "killed_before_publish", "I7"),
    _mutant(wrong_writes.no_lease, "two_replicas", "I11"),
    _mutant(wrong_writes.blind_retry, "lost_answer", "I3"),
    _mutant(wrong_writes.list_limit_100, "many_tools", "I3"),
    _mutant(wrong_writes.patch_known_fields_only, "foreign_edits", "I4"),
    _mutant(wrong_writes.replace_tool_ids, "foreign_edits", "I4"),
    _mutant(wrong_messages.outcome_twice, "plain", "I8"),
    _mutant(wrong_messages.sequence_repeated, "plain", "I7"),
    _mutant(wrong_writes.cross_tenant_marker, "plain", "I9"),
    _mutant(wrong_assistants.assistants_blind_retry, "lost_assistant", "I3", service="assistant_api"),
    _mutant(wrong_assistants.assistants_without_links, "foreign_edits", "I4", service="assistant_api"),
    _mutant(wrong_messages.poison_dropped, "poisoned", "I14"),
    _mutant(wrong_messages.unreadable_saves_forgotten, "poisoned", "I1"),
    _mutant(wrong_messages.losses_not_written_down, "records_gone", "I1"),
    _mutant(wrong_messages.one_topic_for_ever, "topic_made_again", "I1"),
    _mutant(wrong_reach.relinks_first_20, "crowd", "I4"),
    _mutant(wrong_reach.keeps_strange_tool, "strange_tool", "I17"),
    _mutant(wrong_reach.links_what_is_another_s, "forged", "I9", "I17"),
    _mutant(wrong_reach.twins_overlooked, "in_the_way", "I16"),
    _mutant(wrong_reach.silence_overlooked, "in_the_way", "I16"),
    _mutant(wrong_assistants.outbox_deleted_before_confirmed, "killed_before_confirmed", "I1", service="assistant_api"),
    _mutant(wrong_assistants.release_not_verified, "handed_on", "I17", service="assistant_api"),
    _mutant(wrong_assistants.assistants_in_our_time, "clock_skewed", "I3", service="assistant_api"),
    _mutant(wrong_assistants.restores_without_looking, "api_restored", "I3", service="assistant_api"),
    _mutant(wrong_assistants.knows_anothers_tools, "second_assistants", "I18", service="assistant_api"),
    _mutant(wrong_assistants.adopted_deleted, "adopted_and_left", "I17", service="assistant_api"),
    _mutant(wrong_orders.comes_at_any_hour, "shipped", "I19"),
    _mutant(wrong_orders.moves_the_pinned, "shipped", "I19"),
    _mutant(wrong_orders.opens_every_stage, "shipped", "I19"),
    Mutant("projection_drift", "plain", frozenset({"I2"}), sql=PROJECTION_DRIFT),
)
MUTANTS: Final[Mapping[str, Mutant]] = {mutant.name: mutant for mutant in _ALL}
