"""What the commands on pins write, and say then."""

from uuid import UUID

from tool_sync.admin.operator import ACTOR
from tool_sync.cli.connected import log_of
from tool_sync.cli.exits import CommandRefused, NotFound
from tool_sync.cli.output import print_line, utc
from tool_sync.db import Connection
from tool_sync.domain.events import ToolPinned
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.domain.tool_pin import PinBasis, PinWish
from tool_sync.domain.tool_setting import NoSuchOrg, NoSuchTool, OrgIsClosed, SettingMoved
from tool_sync.intake.wishes import AlreadySo, Contended, Wisher, WishStored
from tool_sync.queries.explain_tool import UnknownTool
from tool_sync.rollouts.pins import pin_basis, pin_tool


async def change_pin(connection: Connection, database_url: str, org_id: UUID, tool: str, wish: PinWish) -> None:
    """Write it down, and say so. Asking twice does no harm, and writes nothing."""

    async def read() -> tuple[int, PinBasis]:
        return await pin_basis(connection, org_id, tool)

    async with log_of(database_url) as log:
        try:
            answer = await pin_tool(log, read, org_id, tool, wish, Wisher(ACTOR))
        except Contended as error:
            raise NotFound(f"{error}; give the same command again") from error
    match answer:
        case WishStored(event=ToolPinned() as event):
            print_line(f"{org_id} stays at version {event.version} of {tool} until {utc(event.until)}")
        case WishStored():
            print_line(f"{tool} is not pinned for {org_id} any more: it gets what is ordered")
        case AlreadySo():
            print_line(f"{'it is pinned so' if wish.version is not None else 'it is not pinned'}; nothing was written")
        case NoSuchOrg():
            raise NotFound(f"there is no organization {org_id}")
        case OrgIsClosed():
            raise CommandRefused(f"organization {org_id} was deleted; nothing is pinned for it")
        case NoSuchTool(known=known):
            raise UnknownTool(tool, known)
        case Refused(why=why):
            raise CommandRefused(why)
        case SettingMoved():
            raise AssertionError("an operator names no pin that is to be replaced")
