"""Where and with which key the SDK's tests run; values, so that tests can import them."""

from __future__ import annotations

import os
from typing import Any

LIVE = "VAPI_BASE_URL" not in os.environ
BASE_URL = os.environ.get("VAPI_BASE_URL", "https://api.vapi.ai")
KEY = os.environ["VAPI_API_KEY"] if LIVE else "sandbox-private-key"
ONCE: dict[str, Any] = {"max_retries": 0, "timeout_in_seconds": 20}
