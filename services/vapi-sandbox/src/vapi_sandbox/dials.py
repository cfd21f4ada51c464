"""The dials: one JSON document that says how the sandbox misbehaves, with every field checked.

    {"latency_ms": {"p50": 200, "p99": 900},
     "rules": [{"route": "POST /tool", "times": 1, "action": {"kind": "reset", "commit": true}}]}

A rule fires for the requests of one route that match; the first rule that has a shot left takes the request. All
durations are milliseconds.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from vapi_sandbox.calls import ROUTE_NAMES
from vapi_sandbox.javascript import from_json
from vapi_sandbox.lists import LIST_LAG_MS_MAX, Order
from vapi_sandbox.planted import Planted
from vapi_sandbox.simulated_call.shape import SameName, WebhookShape

DURATION_MS_MAX = 600_000
CLOCK_SKEW_MS_MAX = 86_400_000
Milliseconds = Annotated[float, Field(ge=0, le=DURATION_MS_MAX)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Spread(_Document):
    """A latency with a tail: log-normal through its median and its 99th percentile."""

    p50: Annotated[float, Field(gt=0, le=DURATION_MS_MAX)]
    p99: Annotated[float, Field(gt=0, le=DURATION_MS_MAX)]


Latency = Milliseconds | Spread


class Status(_Document):
    """Answer with a status of our choice: before the operation, or after it took place (`commit`).

    The body is `json`, else a page of `text` as an edge proxy sends it, else the API's own error body.
    `retry_after` is copied as it is: seconds, a date, or garbage.
    """

    kind: Literal["status"]
    status: Annotated[int, Field(ge=200, le=599)]
    commit: bool = False
    body: Literal["html", "text", "json", "empty"] = "json"
    json_body: Annotated[Any, Field(alias="json")] = None
    retry_after: str | int | None = None
    headers: dict[str, str] = {}


class Reset(_Document):
    """Cut the TCP connection, before the operation or after it took place.

    `after_bytes` bytes of the answer (status line and headers included) are sent before that. `close` says how:
    `rst` is a reset, `fin` an orderly end in the wrong place.
    """

    kind: Literal["reset"]
    commit: bool
    after_bytes: Annotated[int, Field(ge=0)] = 0
    close: Literal["rst", "fin"] = "rst"


class Hang(_Document):
    """Keep the caller waiting: the operation takes place at once (or never), the answer comes after `hold_ms`.

    A caller who gives up sooner ends it. Without `commit` the connection is closed at the end, unanswered.
    """

    kind: Literal["hang"]
    commit: bool = True
    hold_ms: Milliseconds = 60_000


class Drip(_Document):
    """Answer a few bytes at a time."""

    kind: Literal["drip"]
    bytes_per_step: Annotated[int, Field(ge=1)] = 1
    step_ms: Milliseconds = 200


class Mangle(_Document):
    """Let the operation take place and spoil the body of its answer (the status stays)."""

    kind: Literal["mangle"]
    form: Literal["truncated", "garbage", "html", "nan", "bom", "empty", "null", "no_id", "other_name", "array", "huge"]


class RevokeKey(_Document):
    """Answer 401 and add the caller's key to `revoked_keys`, so that every later request gets 401 as well."""

    kind: Literal["revoke_key"]


class Late(_Document):
    """Let the operation take place `delay_ms` after the request, even if the caller has left by then."""

    kind: Literal["late"]
    delay_ms: Milliseconds


class Delay(_Document):
    """Add latency to one route; otherwise nothing is wrong."""

    kind: Literal["delay"]
    latency_ms: Latency


class ExternalEdit(_Document):
    """Read the assistant for the caller, then change it as another writer would, then answer what was read.

    `merge` is a JSON merge patch (RFC 7386) of the stored content; `append_tool_ids` are added to `model.toolIds`.
    For a rule on `GET /assistant/{id}`: the change falls between the caller's GET and its PATCH.
    """

    kind: Literal["external_edit"]
    merge: dict[str, Any] = {}
    append_tool_ids: list[str] = []


Action = Annotated[
    Status | Reset | Hang | Drip | Mangle | RevokeKey | Late | Delay | ExternalEdit, Field(discriminator="kind")
]


class Match(_Document):
    """Which requests of the route are meant; every field that is given must agree.

    `organization_id` is a tool's static parameter and `tool_name` its `function.name`, of the body or of the stored
    tool; `assistant_id` is the id in the path; `body_contains` is looked for in the raw body.
    """

    organization_id: str | None = None
    tool_name: str | None = None
    assistant_id: str | None = None
    key: str | None = None
    body_contains: str | None = None


class Rule(_Document):
    """When and how one route goes wrong.

    It lets `skip` matching requests pass, then fires with `probability` (from the dials' seed) at most `times` times,
    and no longer than `for_seconds` after the dials were turned.
    """

    name: str = ""
    route: str
    match: Match = Match()
    skip: Annotated[int, Field(ge=0)] = 0
    times: Annotated[int, Field(ge=1)] | None = None
    for_seconds: Annotated[float, Field(gt=0)] | None = None
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    action: Action

    @field_validator("route")
    @classmethod
    def _known(cls, route: str) -> str:
        if route != "*" and route not in ROUTE_NAMES:
            raise ValueError(f"{route!r} is no route; use '*' or one of {', '.join(ROUTE_NAMES)}")
        return route


class LagEach(_Document):
    """A `share` of the objects lags in lists, each by its own part of `lag_ms_max` (from the seed and its id)."""

    share: Annotated[float, Field(ge=0, le=1)] = 1.0
    lag_ms_max: Annotated[int, Field(ge=0, le=LIST_LAG_MS_MAX)]


class Dials(_Document):
    """Everything that can be turned. The defaults are a well-behaved API without a rate limit."""

    seed: int = 1
    latency_ms: Latency = 0
    rate_limit_per_minute: Annotated[int, Field(ge=0)] | None = None
    rate_limit_retry_after: bool = False
    list_lag_ms: Annotated[int, Field(ge=0, le=LIST_LAG_MS_MAX)] = 0
    list_lag_each: LagEach | None = None
    list_order: Order = "newest"
    planted: list[Planted] = []
    clock_skew_ms: Annotated[int, Field(ge=-CLOCK_SKEW_MS_MAX, le=CLOCK_SKEW_MS_MAX)] = 0
    without_traffic_splits: list[str] = []
    same_name: SameName = "first"
    strict_tool_ids: bool = False
    tool_write_conflict: bool = False
    revoked_keys: list[str] = []
    webhook: WebhookShape = WebhookShape()
    rules: list[Rule] = []


_DIALS = TypeAdapter(Dials)


def parse_dials(text: bytes | str) -> Dials:
    """Read a whole dials document.

    Raises `pydantic.ValidationError` with every problem in it, and another `ValueError` where it is no JSON.
    """
    return _DIALS.validate_python(from_json(text))


def merged(dials: Dials, text: bytes | str) -> Dials:
    """Return the dials with the top-level fields of a JSON object replaced.

    Raises `ValueError` (of which `pydantic.ValidationError` is one) where the text is no object or a field is wrong.
    """
    fields = from_json(text)
    if not isinstance(fields, dict):
        raise ValueError("the body must be a JSON object")
    return _DIALS.validate_python({**document(dials), **fields})


def document(dials: Dials) -> dict[str, Any]:
    """Return the dials as the JSON document they were read from."""
    return dials.model_dump(mode="json", by_alias=True)
