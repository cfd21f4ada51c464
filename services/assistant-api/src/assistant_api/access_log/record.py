"""Writing a row of the access log: in the transaction of what it tells of, neither is there without the other."""

from typing import Any, Final

from assistant_api.access_log.entry import COLUMNS, Entry
from zerotouch_platform.postgres.pool import Connection

_VALUES: Final = len(COLUMNS.split(","))


def insert_at(first: int) -> str:
    """The statement that writes a row whose values are the parameters from ``first`` on."""
    places = ", ".join(f"${number}" for number in range(first, first + _VALUES))
    return f"INSERT INTO access_log ({COLUMNS}) VALUES ({places})"  # noqa: S608 - constants


_INSERT: Final = insert_at(1)


async def record(connection: Connection, entry: Entry) -> None:
    """Write a row in the transaction of ``connection``; what the database raises is a reason not to go on."""
    await connection.execute(_INSERT, *entry.values)


def beside(entry: Entry, select: str, *arguments: Any) -> tuple[Any, ...]:
    """``select`` with its arguments, and the row written by the same statement: no round trip of its own."""
    return (f"WITH logged AS ({insert_at(len(arguments) + 1)})\n{select}", *arguments, *entry.values)
