"""A projection's table as the catalog has it, so that a changed shape needs no code here."""

from dataclasses import dataclass
from typing import Final

from tool_sync.log.projections.errors import UnknownProjection
from tool_sync.log.projections.session import Owner

_NAMES: Final = "SELECT name FROM projections ORDER BY name"
_COLUMNS: Final = """
SELECT quote_ident(a.attname) AS name, a.attnum = ANY (i.indkey::int2[]) AS is_key,
       EXISTS (SELECT FROM pg_index u WHERE u.indrelid = a.attrelid AND u.indisunique AND NOT u.indisprimary
                AND a.attnum = ANY (u.indkey::int2[])) AS is_unique
  FROM pg_attribute a
  JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
 WHERE a.attrelid = to_regclass('public.' || quote_ident($1)) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """Names are quoted, fit for SQL. ``name`` itself is a plain identifier from the table ``projections``.

    ``key``: of the primary key. ``unique``: the columns of all other unique indexes.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    unique: tuple[str, ...]

    @property
    def live(self) -> str:
        """The table that everybody reads."""
        return f'public."{self.name}"'

    @property
    def fresh(self) -> str:
        """The temporary one, which the fold meets first."""
        return f'pg_temp."{self.name}"'

    def listed(self, alias: str) -> str:
        """All columns of an alias, as a list."""
        return ", ".join(f"{alias}.{column}" for column in self.columns)

    def same_key(self, a: str, b: str) -> str:
        """The condition that rows of two aliases have one key."""
        return " AND ".join(f"{a}.{column} = {b}.{column}" for column in self.key)

    def same_place(self, a: str, b: str) -> str:
        """The condition that rows of two aliases are equal in every other unique index."""
        return " AND ".join(f"{a}.{column} IS NOT DISTINCT FROM {b}.{column}" for column in self.unique) or "true"

    def same_row(self, a: str, b: str) -> str:
        """The condition that rows of two aliases are equal; nulls are."""
        return f"({self.listed(a)}) IS NOT DISTINCT FROM ({self.listed(b)})"


async def names(connection: Owner) -> list[str]:
    """Every projection's."""
    return [row["name"] for row in await connection.fetch(_NAMES)]


async def shape_of(connection: Owner, name: str) -> Shape:
    """Raises `UnknownProjection`."""
    known = await names(connection)
    if name not in known:
        raise UnknownProjection(name, known)
    rows = await connection.fetch(_COLUMNS, name)
    assert rows, f"projection {name} has no table with a primary key"
    return Shape(
        name,
        columns=tuple(row["name"] for row in rows),
        key=tuple(row["name"] for row in rows if row["is_key"]),
        unique=tuple(row["name"] for row in rows if row["is_unique"]),
    )
