"""A faithful stand-in for the parts of Vapi's REST API that Zerotouch uses, with fault dials and a journal.

`create_app` makes it as an ASGI application, `serving` puts one on a TCP port of the running event loop, and the
command `vapi-sandbox` runs it alone.
"""

from vapi_sandbox.app import create_app
from vapi_sandbox.clock import Clock
from vapi_sandbox.dials import Dials, parse_dials
from vapi_sandbox.server import serving
from vapi_sandbox.settings import DEFAULT_KEY, DEFAULT_VAPI_ORG, SandboxSettings
from vapi_sandbox.simulated_call.credential import BearerToken, HmacKey
from vapi_sandbox.wire import ConnectionCut

__all__ = [
    "DEFAULT_KEY",
    "DEFAULT_VAPI_ORG",
    "BearerToken",
    "Clock",
    "ConnectionCut",
    "Dials",
    "HmacKey",
    "SandboxSettings",
    "create_app",
    "parse_dials",
    "serving",
]
