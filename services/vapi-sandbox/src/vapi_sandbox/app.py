"""The sandbox as an ASGI application."""

from __future__ import annotations

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount

from vapi_sandbox.clock import Clock
from vapi_sandbox.control import ControlPlane
from vapi_sandbox.gateway import Gateway
from vapi_sandbox.sandbox import Sandbox
from vapi_sandbox.settings import SandboxSettings
from vapi_sandbox.simulated_call.simulator import Simulator


def create_app(
    settings: SandboxSettings | None = None,
    clock: Clock | None = None,
    webhook_transport: httpx.AsyncBaseTransport | None = None,
) -> Starlette:
    """Make a sandbox of its own: the API at the root, the control plane under `/__sandbox`.

    It holds everything in memory and runs anywhere; only under `vapi_sandbox.server` can it really cut connections
    (elsewhere a cut raises `ConnectionCut` out of the app). `webhook_transport` carries the webhooks of simulated calls
    instead of the network.
    """
    sandbox = Sandbox(settings or SandboxSettings(), clock or Clock())
    return Starlette(
        routes=[
            Mount("/__sandbox", routes=ControlPlane(sandbox, Simulator(sandbox, webhook_transport)).routes()),
            Mount("/", app=Gateway(sandbox)),
        ]
    )
