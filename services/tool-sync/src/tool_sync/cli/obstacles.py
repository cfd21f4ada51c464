"""What stands in a command's way, as one line on stderr and an exit status."""

from asyncpg import InsufficientPrivilegeError, PostgresError

from tool_sync import db
from tool_sync.admin.notices import ForeignNoticesKey
from tool_sync.admin.tool_settings import CannotSwitch
from tool_sync.cli.exits import EXIT_FOUND, EXIT_REFUSED, EXIT_USAGE, CommandRefused, NotFound
from tool_sync.cli.exits import error as say
from tool_sync.log import LogUnavailable
from tool_sync.log.archive.errors import ArchiveDamaged, ArchiveRefused, ArchiveUnavailable
from tool_sync.log.codec import UnknownEvent
from tool_sync.log.fork import LogInUse
from tool_sync.notices.endpoints import NoClinicToTell
from tool_sync.outcomes.replay import CannotReplay
from tool_sync.queries.as_of import BeforeFirstEvent
from tool_sync.queries.explain_tool import UnknownTool
from tool_sync.queries.status_links import NoStatusLink
from tool_sync.rollouts.command import FleetContended
from tool_sync.rollouts.finding import UnknownRollout
from zerotouch_platform.kafka.topics import KafkaUnavailable
from zerotouch_platform.postgres.errors import meaning_of
from zerotouch_platform.postgres.installation import ForeignInstallation


def status_of(error: Exception) -> int | None:
    """Say what it is; the exit status. None for what is no obstacle but a fault of ours."""
    match error:
        case CommandRefused() | CannotReplay() | LogInUse() | ForeignInstallation() | InsufficientPrivilegeError():
            say(error)
            return EXIT_REFUSED
        case ArchiveRefused() | ForeignNoticesKey() | NoClinicToTell(is_closed=True) | NoStatusLink(is_known=True):
            say(error)
            return EXIT_REFUSED
        case ArchiveDamaged():
            say(error)
            return EXIT_FOUND
        case ArchiveUnavailable() | NoClinicToTell() | KafkaUnavailable() | NotFound() | CannotSwitch():
            say(error)
        case BeforeFirstEvent() | UnknownTool() | NoStatusLink():
            say(error)
        case UnknownRollout():
            say(error if error.near or error.meant else f"{error}; `tool-sync rollout list` lists them")
        case UnknownEvent():
            say(f"{error}; a newer release can read it")
        case FleetContended() | LogUnavailable():
            say(f"{error}; look whether it was written before you ask again")
        case _ if isinstance(error, (PostgresError, *db.WAITED_OUT_ERRORS)):
            say(meaning_of(error))
        case _:
            return None
    return EXIT_USAGE
