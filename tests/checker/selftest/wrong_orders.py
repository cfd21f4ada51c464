"""tool-sync, wrong in what a clinic is to have. Each function breaks the process that it runs in."""

from tests.checker.selftest.ports import put


def comes_at_any_hour() -> None:
    """What is ordered does not wait for the clinic's change window."""
    from tool_sync.domain.fleet import decide

    put(decide, "waits_for_window", lambda *_: False)


def moves_the_pinned() -> None:
    """A pin is written down, and no decision asks for it."""
    from tool_sync.domain.fleet import decide

    put(decide, "_pin", lambda *_: None)


def opens_every_stage() -> None:
    """Every clinic is taken to be of the first stage."""
    from tool_sync.domain.fleet import decide

    put(decide, "contains", lambda *_: True)
