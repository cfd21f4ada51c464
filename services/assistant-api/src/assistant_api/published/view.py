"""What is kept of published tools, as this process has read it: a few rows, read again after each record that came."""

from assistant_api.db import Database
from assistant_api.published import store
from assistant_api.published.known import NOTHING, Published


class PublishedView:
    """``now`` is what was read last; nothing before :meth:`load`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_loaded = False
        self.now: Published = NOTHING

    async def load(self) -> Published:
        """Read it now. Raises what a database raises that is away; then what was known stays."""
        async with self._database.connection() as connection:
            self.now = await store.read(connection)
        self._is_loaded = True
        return self.now

    async def known(self) -> Published:
        """What was read last; read now where nothing was yet, as whoever writes a prompt must not guess."""
        return self.now if self._is_loaded else await self.load()
