"""An application on a port, in the event loop of the tests, behind the server that the services have."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp

from zerotouch_platform.server import HttpServer, bind


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """Where it answers, such as `http://127.0.0.1:40123`."""
    server = HttpServer(app, bind("127.0.0.1", 0))
    running = asyncio.create_task(server.run_forever())
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()
        await running
