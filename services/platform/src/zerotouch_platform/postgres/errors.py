"""What an error of PostgreSQL's says: that it passes by itself, that a person has to act, or that a value was wrong.

    TRANSIENT_ERRORS      wait, and ask again: a closed list
    MISCONFIGURED_ERRORS  password, database, right, schema: wait, and say what is wrong, as waiting alone helps nobody
    is_unusable_value     a value that PostgreSQL cannot take: whoever gave it is told
    everything else       a fault of ours

asyncpg makes classes of SQLSTATEs; a subclass of one that is listed counts with it.
"""

from typing import Final

import asyncpg

TRANSIENT_ERRORS: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,  # the connection was closed under it
    asyncpg.InternalClientError,  # asyncpg's own confusion about a connection that died between two statements
    asyncpg.PostgresConnectionError,  # 08
    asyncpg.OperatorInterventionError,  # 57: shutdown, starting up, a statement that took too long
    asyncpg.InsufficientResourcesError,  # 53: too many connections, a full disk
    asyncpg.TransactionRollbackError,  # 40: serialization, deadlock
    asyncpg.LockNotAvailableError,  # 55P03
    asyncpg.IdleInTransactionSessionTimeoutError,  # 25P03: this process was stopped for a while
    asyncpg.ReadOnlySQLTransactionError,  # 25006: during a failover, the server that was the primary
)
"""What passes by itself. Whether something was committed is unknown."""

MISCONFIGURED_ERRORS: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,  # 28: no such role, another password, an address that is not let in
    asyncpg.InvalidCatalogNameError,  # 3D000
    asyncpg.InsufficientPrivilegeError,  # 42501
    asyncpg.UndefinedTableError,  # 42P01, and so on: a schema that is not this release's
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # 55: the database lets nobody in
)
"""What a person has to put right; the process waits for that as well, as it may be done without it."""

WAITED_OUT_ERRORS: Final = (*TRANSIENT_ERRORS, *MISCONFIGURED_ERRORS)

_VALUES: Final = frozenset({"22000", "22003", "22007", "22008", "22021", "22P02", "22P05"})
"""A value that has no encoding, out of range, a time that is none, a character or text that cannot be kept."""
_MEANINGS: Final = (
    (asyncpg.InsufficientPrivilegeError, "PostgreSQL denies this service's role a right"),
    (asyncpg.InvalidAuthorizationSpecificationError, "PostgreSQL refuses this service's user or password"),
    (asyncpg.InvalidCatalogNameError, "PostgreSQL has no such database"),
    (asyncpg.SyntaxOrAccessError, "the database's schema is not this release's"),
    (asyncpg.ObjectNotInPrerequisiteStateError, "PostgreSQL lets nobody into this database"),
)


def is_unusable_value(error: BaseException) -> bool:
    """Whether a statement failed for a value that it was given."""
    return isinstance(error, asyncpg.DataError) and error.sqlstate in _VALUES


def needs_a_person(error: BaseException) -> bool:
    """Whether waiting alone does not help; a lock that is held is no such thing."""
    return isinstance(error, MISCONFIGURED_ERRORS) and not isinstance(error, TRANSIENT_ERRORS)


def meaning_of(error: BaseException) -> str:
    """What an error says, in one line for an operator: what is wrong, and the server's own words."""
    said = " ".join(f"{type(error).__name__}: {error}".split())
    meaning = next((words for kind, words in _MEANINGS if isinstance(error, kind)), None)
    return f"{meaning if needs_a_person(error) and meaning else 'the database does not answer'}: {said}"
