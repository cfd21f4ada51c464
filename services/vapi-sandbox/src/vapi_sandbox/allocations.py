"""What the four routes under `/traffic-allocations` do, by the names of the Python SDK 3.0.0.

Our choices, where the real answer is not published: 201 for a creation; 404 for an assistant that is not there, and 400
for such a version; a version may be named once; `latest` of an unknown assistant is an empty object.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl
from uuid import NAMESPACE_URL, uuid4, uuid5

from vapi_sandbox.answers import NOT_A_UUID, Reply, failure, no_resource
from vapi_sandbox.calls import Call, Unreadable, parse_body
from vapi_sandbox.checks import Problems, array, number, obj, one_of, text, uuid
from vapi_sandbox.javascript import to_json
from vapi_sandbox.records import Document
from vapi_sandbox.splits import TARGETS_MAX, Allocation, Intent, Target
from vapi_sandbox.store import Store

PAGE_DEFAULT, PAGE_MAX = 100, 1000
SHARES_TOTAL = 100_000
EVERYBODY = "*"

NO_ACCESS = failure(403, "Traffic splitting is not enabled for this organization.")

_BODY = obj(
    {
        "assistantId": uuid,
        "allocationIntent": one_of(("follow-latest", "explicit")),
        "targets": array(
            obj({"assistantVersion": text(), "percentage": number(0, 100)}, required=("assistantVersion", "percentage"))
        ),
        "expectedCurrentAllocationId": uuid,
        "description": text(),
    },
    required=("assistantId",),
)


def allocate(store: Store, call: Call) -> Reply:
    """Create an allocation, which governs at once."""
    body = parse_body(call)
    if isinstance(body, Unreadable):
        return failure(400, body.reason)
    problems: Problems = []
    _BODY(body, "", problems)
    if not problems:
        problems = _problems_of_intent(body) + _problems_of_shares(body)
    if problems:
        return failure(400, problems)
    assistants, assistant_id = store.shelf(call.vapi_org, "assistant"), body["assistantId"]
    if assistants.get(assistant_id) is None:
        return no_resource("assistant", assistant_id)
    governing = store.splits.latest(call.vapi_org, assistant_id)
    expected = body.get("expectedCurrentAllocationId")
    if expected is not None and (governing is None or governing.id != expected):
        return _stale(expected, governing)
    targets = []
    for place, given in enumerate(body.get("targets") or ()):
        version = assistants.version(assistant_id, given["assistantVersion"])
        if version is None:
            problems.append(f"targets.{place}.assistantVersion {given['assistantVersion']} is not a published version")
        else:
            targets.append(Target(version, round(given["percentage"] * 1000)))
    if problems:
        return failure(400, problems)
    intent: Intent = "explicit" if targets else "follow-latest"
    row = Allocation(
        id=str(uuid4()),
        vapi_org=call.vapi_org,
        assistant_id=assistant_id,
        intent=intent,
        created_ms=store.now_ms(),
        targets=tuple(targets),
        actor_id=str(uuid5(NAMESPACE_URL, call.key)),
        description=body.get("description"),
    )
    store.splits.add(row)
    return Reply(201, to_json(row.document()), executed=True, created=row.id)


def latest_allocation(store: Store, call: Call) -> Reply:
    """Answer with the allocation that governs an assistant: `{}` where there never was one."""
    assistant_id = dict(parse_qsl(call.query)).get("assistantId")
    problems: Problems = []
    uuid(assistant_id, "assistantId.", problems)
    if problems:
        return failure(400, problems)
    row = store.splits.latest(call.vapi_org, str(assistant_id))
    return Reply(200, to_json({} if row is None else {"allocation": row.document()}), executed=True)


def find_allocation(store: Store, call: Call) -> Reply:
    """Answer with one allocation."""
    problems: Problems = []
    uuid(call.id, "id.", problems)
    if problems:
        return NOT_A_UUID
    row = store.splits.find(call.vapi_org, call.id)
    if row is None:
        return no_resource("traffic allocation", call.id)
    return Reply(200, to_json(row.document()), executed=True)


def list_allocations(store: Store, call: Call) -> Reply:
    """Answer with a page of the history, newest first unless `sortOrder` is `ASC`."""
    query = dict(parse_qsl(call.query, keep_blank_values=True))
    problems = [
        f"property {name} should not exist"
        for name in query
        if name not in ("assistantId", "page", "limit", "sortOrder")
    ]
    page = _whole("page", query.get("page", "1"), 1, 1_000_000, problems)
    limit = _whole("limit", query.get("limit", str(PAGE_DEFAULT)), 1, PAGE_MAX, problems)
    order = query.get("sortOrder", "DESC")
    one_of(("ASC", "DESC"))(order, "sortOrder.", problems)
    if problems:
        return failure(400, problems)
    rows = store.splits.of(call.vapi_org, query.get("assistantId"))
    if order == "DESC":
        rows.reverse()
    shown = rows[(page - 1) * limit : page * limit]
    metadata = {
        "itemsPerPage": limit,
        "totalItems": len(rows),
        "currentPage": page,
        "totalPages": -(-len(rows) // limit),
        "hasNextPage": page * limit < len(rows),
        "sortOrder": order,
    }
    return Reply(200, to_json({"results": [row.document() for row in shown], "metadata": metadata}), executed=True)


def advance(store: Store, vapi_org: str, assistant_id: str) -> None:
    """Note that a new version was published: an allocation that follows the latest one is written anew by the API."""
    row = store.splits.latest(vapi_org, assistant_id)
    if row is not None and row.intent == "follow-latest":
        store.splits.add(Allocation(str(uuid4()), vapi_org, assistant_id, "follow-latest", store.now_ms(), ()))


def _problems_of_intent(body: Document) -> Problems:
    targets, intent = body.get("targets"), body.get("allocationIntent")
    if intent == "follow-latest" and targets is not None:
        return ["targets should not exist with allocationIntent follow-latest"]
    if targets is None and intent != "follow-latest":
        return ["targets should not be empty unless allocationIntent is follow-latest"]
    return []


def _problems_of_shares(body: Document) -> Problems:
    targets: list[Document] | None = body.get("targets")
    if targets is None:
        return []
    if not 1 <= len(targets) <= TARGETS_MAX:
        return [f"targets must contain at least 1 and no more than {TARGETS_MAX} elements"]
    problems = [
        f"targets.{place}.percentage must have at most three decimal places"
        for place, target in enumerate(targets)
        if not _is_share(target["percentage"])
    ]
    if not problems and sum(round(target["percentage"] * 1000) for target in targets) != SHARES_TOTAL:
        problems.append("the percentages of targets must add up to exactly 100")
    if len({target["assistantVersion"] for target in targets}) < len(targets):
        problems.append("targets must name each assistantVersion once")
    return problems


def _is_share(percentage: float) -> bool:
    return float(f"{percentage:.3f}") == percentage


def _stale(expected: str, governing: Allocation | None) -> Reply:
    current = None if governing is None else governing.id
    body: dict[str, Any] = {
        "error": "stale_allocation",
        "message": f"Expected allocation {expected} to be current, but it is {current or 'none'}.",
        "currentAllocationId": current,
    }
    return Reply(409, to_json(body))


def _whole(name: str, value: str, least: int, most: int, problems: Problems) -> int:
    if value.isascii() and value.isdigit() and len(value) <= len(str(most)) and least <= int(value) <= most:
        return int(value)
    problems.append(f"{name} must be an integer between {least} and {most}")
    return least
