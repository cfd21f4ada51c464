"""Whoever leads holds an advisory lock of the one database: two that share a number keep each other from their work."""

from tool_sync import migrate
from tool_sync.intake.accounts_reader import ACCOUNTS_LOCK
from tool_sync.intake.display_names import NAMES_LOCK
from tool_sync.log.projections.rebuild import REBUILD_LOCK
from tool_sync.log.projections.session import APPEND_LOCK
from tool_sync.notices.sending import NOTICES_LOCK
from tool_sync.outcomes.heads.signer import HEADS_LOCK
from tool_sync.outcomes.published import ALL


def test_no_two_leaders_ask_for_the_same_lock() -> None:
    locks = [migrate.LOCK, APPEND_LOCK, REBUILD_LOCK, HEADS_LOCK, NAMES_LOCK, NOTICES_LOCK, ACCOUNTS_LOCK]
    locks += [published.lock_key for published in ALL]
    assert len(set(locks)) == len(locks)
