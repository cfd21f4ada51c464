"""Every setting of the process, read from the environment once; no module reads the environment by itself.

Tests construct :class:`Settings` by keyword; the composition root loads them, which reports every problem at once.
``MIGRATE_DATABASE_URL`` is no field: only ``tool-sync migrate`` needs it, and that needs nothing else.

    neighbours  who is asked, read and told, and as whom
    front       what the process shows, and to whom
    work        the loops
    kinds       of values
"""

from tool_sync.settings.front import FrontSettings
from tool_sync.settings.kinds import LOOPBACK, is_real_vapi, roles_of
from tool_sync.settings.neighbours import LOOPBACK_REFUSED, NeighbourSettings
from tool_sync.settings.work import WorkSettings
from zerotouch_platform.limits.settings import LimitSettings
from zerotouch_platform.settings import CONFIG

__all__ = ["LOOPBACK", "LOOPBACK_REFUSED", "Settings", "is_real_vapi", "roles_of"]


# The fields of the last one come first, and so on. Rules about two fields stand at the later one, so that they are
# reported together with everything else.
class Settings(WorkSettings, FrontSettings, NeighbourSettings, LimitSettings):
    """The settings; immutable. What has no default must be given."""

    model_config = CONFIG
