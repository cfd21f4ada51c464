"""What libraries put off until the first request, done before: nobody waits while others' first request is prepared.

FastAPI reads the signatures of routes when a path is first compared with them (0.14 s for tool-sync's) and makes the
OpenAPI document when it is first asked for (0.1 s more); the first answer that is a stream imports anyio's part for
asyncio (0.05 s). Anybody may ask for these, also without a token.
"""

import anyio
from fastapi import FastAPI
from starlette.routing import Mount

_NO_PATH = {"type": "http", "method": "GET", "path": "/ ", "root_path": "", "headers": []}
"""Of no route, so it is compared with each."""


def warm_up(app: FastAPI) -> None:
    """Prepare ``app`` and the applications that are mounted in it; for a thread of its own, before they are served."""
    for route in app.router.routes:
        route.matches(dict(_NO_PATH))
        if isinstance(route, Mount) and isinstance(route.app, FastAPI):
            warm_up(route.app)
    if app.openapi_url is not None:
        app.openapi()
    anyio.run(anyio.sleep, 0)
