"""What stands in the way of an archive.

::

    Exception
    ├── ArchiveUnavailable   there is none, or not what is asked for; the disk refuses; a newer release wrote it
    ├── ArchiveRefused       it is of another log or a former history, or somebody else writes it: nothing was changed
    └── ArchiveDamaged       its manifest cannot be read, so nothing of it can be compared
"""


class ArchiveUnavailable(Exception):
    """The message says what, and where."""


class ArchiveRefused(Exception):
    """Nothing was changed; the message says why."""


class ArchiveDamaged(Exception):
    """The message says which file, and what is wrong with it."""
