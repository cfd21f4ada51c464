"""The sandbox as an ASGI application."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Mount

from vapi_sandbox.clock import Clock
from vapi_sandbox.control import ControlPlane
from vapi_sandbox.gateway import Gateway
from vapi_sandbox.sandbox import Sandbox
from vapi_sandbox.settings import SandboxSettings


def create_app(settings: SandboxSettings | None = None, clock: Clock | None = None) -> Starlette:
    """Make a sandbox of its own: the API at the root, the control plane under `/__sandbox`.

    It holds everything in memory and runs anywhere; only under `vapi_sandbox.server` can it really cut connections
    (elsewhere a cut raises `ConnectionCut` out of the app).
    """
    sandbox = Sandbox(settings or SandboxSettings(), clock or Clock())
    return Starlette(
        routes=[
            Mount("/__sandbox", routes=ControlPlane(sandbox).routes()),
            Mount("/", app=Gateway(sandbox)),
        ]
    )
