"""What clinics and operators set of a change window."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from tool_sync.db import Connection
from tool_sync.domain.change_window import ChangeWindow
from tool_sync.domain.events import ChangeWindowRemoved, ChangeWindowSet
from tool_sync.domain.window_setting import WindowBasis, WindowRefusal, WindowWish, decide_window
from tool_sync.intake.wishes import AlreadySo, Wisher, WishStored, make_true
from tool_sync.log import EventLog, org_stream
from tool_sync.log.head import stream_version

SOURCE: Final = "/zerotouch/tool-sync/change-windows"

_BASIS: Final = """
SELECT o.closed, w.opens, w.closes, w.reason, coalesce(w.position, 0) AS position
  FROM organizations o LEFT JOIN org_change_windows w ON w.org_id = o.id
 WHERE o.id = $1
"""


ReadWindow = Callable[[], Awaitable[tuple[int, WindowBasis]]]


async def window_basis(connection: Connection, org_id: UUID) -> tuple[int, WindowBasis]:
    """The version of the org's stream, and what a wish is decided on, which is as new or newer."""
    version = await stream_version(connection, org_stream(org_id))
    row = await connection.fetchrow(_BASIS, org_id)
    if row is None:
        return version, WindowBasis(is_known=False, is_closed=False, window=None, reason=None, position=0)
    window = None if row["opens"] is None else ChangeWindow(row["opens"], row["closes"])
    return version, WindowBasis(
        is_known=True, is_closed=row["closed"], window=window, reason=row["reason"], position=row["position"]
    )


async def set_window(
    log: EventLog, read: ReadWindow, org_id: UUID, wish: WindowWish, wisher: Wisher
) -> WishStored[ChangeWindowSet | ChangeWindowRemoved] | AlreadySo | WindowRefusal:
    """Make the wish true, once. ``read`` answers :func:`window_basis`, under the rights of whoever asks.

    Raises what :func:`~tool_sync.intake.wishes.make_true` does.
    """

    async def decide() -> tuple[int, ChangeWindowSet | ChangeWindowRemoved | WindowRefusal | None]:
        version, basis = await read()
        return version, decide_window(basis, wish)

    return await make_true(log, org_id, decide, (ChangeWindowSet, ChangeWindowRemoved), source=SOURCE, wisher=wisher)
