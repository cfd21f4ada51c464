"""Projections made anew from the log, beside the running service.

::

    folding    the log folded into a temporary table, in pages, by the same SQL function that append calls
    comparing  that table beside the live one, in one snapshot
    verify     both, and what differs: no lock, no write
    rebuild    the same, then under the append lock the differing rows, a few at a time

Both need the role that owns the tables (``MIGRATE_DATABASE_URL``): the service's own may neither call a fold nor write
a projection, and that is what keeps append the only writer.
"""

from tool_sync.log.projections.errors import (
    AlreadyRunning,
    DatabaseTrouble,
    DiskFull,
    FoldRaised,
    RebuildError,
    UnknownProjection,
)
from tool_sync.log.projections.folding import RebuildProgress
from tool_sync.log.projections.rebuild import Rebuilt, rebuild
from tool_sync.log.projections.verify import Difference, Verified, names, verify

__all__ = [
    "AlreadyRunning",
    "DatabaseTrouble",
    "Difference",
    "DiskFull",
    "FoldRaised",
    "RebuildError",
    "RebuildProgress",
    "Rebuilt",
    "UnknownProjection",
    "Verified",
    "names",
    "rebuild",
    "verify",
]
