"""Which release this is. Apart from :mod:`.telemetry`, so that a command that writes one event needs no tracing."""

from importlib.metadata import version
from typing import Final

SERVICE_VERSION: Final = version("zerotouch-tool-sync")
