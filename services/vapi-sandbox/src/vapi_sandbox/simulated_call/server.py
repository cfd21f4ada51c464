"""Where the webhook of a tool goes, and how patiently: its `server` object, with the API's defaults."""

from __future__ import annotations

from dataclasses import dataclass

from vapi_sandbox.records import Document

TIMEOUT_SECONDS = 20.0
TIMEOUT_SECONDS_MAX = 300.0
BASE_DELAY_SECONDS = 1.0
BASE_DELAY_SECONDS_MAX = 10.0
RETRIES_MAX = 10


@dataclass(frozen=True, slots=True)
class Server:
    """One destination. `retry_delays_seconds` are the waits before the second attempt, the third, and so on."""

    url: str
    timeout_seconds: float = TIMEOUT_SECONDS
    headers: tuple[tuple[str, str], ...] = ()
    retry_delays_seconds: tuple[float, ...] = ()
    excluded_statuses: frozenset[float] = frozenset()

    def retries(self, status: int | None) -> bool:
        """Say whether an attempt with this answer (None: no answer) is repeated, if attempts are left."""
        return status is None or not (200 <= status < 300 or status in self.excluded_statuses)


def server_of(tool: Document, assistant: Document) -> Server | None:
    """Return the first server with a URL, the tool's before the assistant's; None where neither has one.

    Inline tools are stored unchecked, so a setting of the wrong type counts as not given, and the limits are kept here.
    """
    for owner in (tool, assistant):
        server = owner.get("server")
        if isinstance(server, dict) and isinstance(server.get("url"), str) and server["url"]:
            return _read(server)
    return None


def _read(server: Document) -> Server:
    headers = _object(server.get("headers"))
    plan = _object(server.get("backoffPlan"))
    excluded = plan.get("excludedStatusCodes")
    return Server(
        url=server["url"],
        timeout_seconds=min(_number(server.get("timeoutSeconds"), TIMEOUT_SECONDS), TIMEOUT_SECONDS_MAX),
        headers=tuple((name, str(value)) for name, value in headers.items()),
        retry_delays_seconds=_delays(plan),
        excluded_statuses=frozenset(_number(status, 0) for status in (excluded if isinstance(excluded, list) else ())),
    )


def _delays(plan: Document) -> tuple[float, ...]:
    base = min(_number(plan.get("baseDelaySeconds"), BASE_DELAY_SECONDS), BASE_DELAY_SECONDS_MAX)
    retries = int(min(_number(plan.get("maxRetries"), 0), RETRIES_MAX))
    growth = 2 if plan.get("type") == "exponential" else 1
    return tuple(base * growth**number for number in range(retries))


def _object(value: object) -> Document:
    return value if isinstance(value, dict) else {}


def _number(value: object, default: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else default  # type: ignore[arg-type]  # just checked, through the name
