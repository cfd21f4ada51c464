"""Taking a right away from everybody but the owner of a table."""

import asyncpg

_GRANTEES = """
SELECT DISTINCT grantee FROM information_schema.role_table_grants
WHERE table_name = $1 AND grantee NOT IN (SELECT tableowner FROM pg_tables WHERE tablename = $1)
"""


async def revoke_all(admin: "asyncpg.Connection[asyncpg.Record]", table: str) -> None:
    """Nobody who is not its owner or a superuser may do anything with the table any more."""
    for (role,) in await admin.fetch(_GRANTEES, table):
        await admin.execute(f'REVOKE ALL ON {table} FROM "{role}"')
