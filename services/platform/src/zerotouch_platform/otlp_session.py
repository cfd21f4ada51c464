"""The HTTP session of OTLP's exporters: the authority that they are told to trust is the only one.

`requests` (2.34, read 2026-11-30) asks REQUESTS_CA_BUNDLE before its session: on a machine where that is set,
OTEL_EXPORTER_OTLP_CERTIFICATE would be nothing but a wish.
"""

from typing import Any

import requests


class OtlpSession(requests.Session):
    """A session whose own ``verify`` counts, where it names a file."""

    def merge_environment_settings(
        self,
        url: str,
        proxies: dict[str, str] | None,
        stream: bool | None,
        verify: bool | str | None,
        cert: str | tuple[str, str] | None,
    ) -> dict[str, Any]:
        """What the environment says of a request: proxies, and an authority where the session has none."""
        settings = super().merge_environment_settings(url, proxies, stream, verify, cert)
        return {**settings, "verify": self.verify} if isinstance(self.verify, str) else settings
