"""The questions, in the order in which they build on each other. Each gives one short answer without ids or times."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from uuid import UUID

import httpx

from .api import Api, OutOfCalls, document, printable

MODEL: Final = {"provider": "openai", "model": "gpt-4o"}
ABSENT: Final = str(UUID(int=0x5A4D_B0C5_0000_4000_8000_0000_0000_DEAD))
_ID: Final = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_ODD: Final = rb'{"surrogate":"\ud83d","line":"\u2028","big":9007199254740993,"exponent":1e21,"point":250.0}'

Answer = tuple[str, str]


def ask(api: Api) -> Iterator[Answer]:
    """Ask everything; yields (question, answer) as they come. What could not be asked is an answer, too."""
    for part in (_publication, _refusals, _absence, _no_model, _tools, _lists, _split, _published_rules, _odd_texts):
        try:
            yield from part(api)
        except OutOfCalls as error:
            yield f"[{part.__name__.strip('_')}]", f"not asked: {error}"
            break
        except (httpx.HTTPError, _NotMade) as error:
            yield f"[{part.__name__.strip('_')}]", f"no answer: {type(error).__name__} {printable(str(error))}"
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            yield f"[{part.__name__.strip('_')}]", f"an answer of another shape: {type(error).__name__}"
    yield "which headers tell of the rate limit", ", ".join(sorted(api.seen_headers)) or "none"
    if api.refusals_429:
        yield "what 429 looks like", printable(api.refusals_429[0], 300)


class _NotMade(Exception):
    """An object that the next questions need was not made."""


def _publication(api: Api) -> Iterator[Answer]:
    made = _make(api, "assistant", {"name": api.name, "model": MODEL, "firstMessage": "one"})
    path = f"/assistant/{made['id']}"
    before = made.get("latestVersion")
    changed = document(api.send("PATCH", path, {"firstMessage": "two"}))
    read = document(api.send("GET", path))
    shown = "GET shows the change" if read.get("firstMessage") == "two" else "GET shows the old text"
    versions = f"latestVersion {before} -> {changed.get('latestVersion')} -> {read.get('latestVersion')}"
    yield "does PATCH publish at once or make a draft", f"{shown}, {versions}"
    again = document(api.send("PATCH", path, {"firstMessage": "two"}))
    yield "PATCH that changes nothing", f"latestVersion {again.get('latestVersion')}"
    yield "PATCH {}", _status(api.send("PATCH", path, {}))
    api.assistant = path


def _refusals(api: Api) -> Iterator[Answer]:
    partial = api.send("PATCH", _assistant(api), {"model": {"toolIds": []}})
    yield "PATCH of a model without provider", _status(partial)
    unknown = api.send("PATCH", _assistant(api), {"model": {**MODEL, "toolIds": [ABSENT]}})
    yield "PATCH with the id of a tool that is not there", _status(unknown)


def _absence(api: Api) -> Iterator[Answer]:
    for kind in ("assistant", "tool"):
        answer = api.send("GET", f"/{kind}/{ABSENT}")
        yield f"GET of a {kind} that is not there", f"{_status(answer)}: {_words(answer)}"
    yield "GET of an id that is no UUID", _status(api.send("GET", "/tool/none"))


def _no_model(api: Api) -> Iterator[Answer]:
    answer = api.create("assistant", {"name": f"{api.name}-bare"})
    model = document(answer).get("model")
    yield "an assistant without a model", f"{_status(answer)}, model {'absent' if model is None else 'made up'}"


def _tools(api: Api) -> Iterator[Answer]:
    function = {"name": f"{api.name}_book", "parameters": {"type": "object", "properties": {}}}
    body = {"type": "function", "function": function, "server": {"url": "https://probe.example.com/"}}
    one, two = (_make(api, "tool", body) for _ in range(2))
    yield "two tools of one function name", "two ids" if one["id"] != two["id"] else "one id"
    api.pair = (one, two)
    path = f"/tool/{one['id']}"
    yield "PATCH with another type", _status(api.send("PATCH", path, {"type": "endCall"}))
    untyped = api.send("PATCH", path, {"async": True})
    yield "PATCH without a type", f"{_status(untyped)}, latestVersion {document(untyped).get('latestVersion')}"
    with ThreadPoolExecutor(2) as threads:
        answers = threads.map(lambda value: api.send("PATCH", path, {"async": value}), (True, False))
        statuses = sorted(_status(answer) for answer in answers)
    yield "two PATCHes of one tool at once (tool_write_conflict)", ", ".join(statuses)
    ids = [one["id"], two["id"]]
    linked = api.send("PATCH", _assistant(api), {"model": {**MODEL, "toolIds": ids}})
    stored = document(linked).get("model", {}).get("toolIds")
    yield "both linked to one assistant", f"{_status(linked)}, {'both' if stored == ids else 'not both'} stored"
    refs = {"toolIds": ids, "toolRefs": [{"toolId": one["id"], "version": "v1"}]}
    pinned = api.send("PATCH", _assistant(api), {"model": {**MODEL, **refs}})
    left = document(pinned).get("model", {}).get("toolIds")
    yield "a tool linked and pinned", f"{_status(pinned)}, the link is {'dropped' if left == ids[1:] else 'kept'}"
    refused = api.delete("tool", one["id"])
    yield "DELETE of a pinned tool", f"{_status(refused)} {printable(str(document(refused).get('error', '')), 40)}"
    nowhere = {"toolRefs": [{"toolId": two["id"], "version": "v99"}]}
    answer = api.send("PATCH", _assistant(api), {"model": {**MODEL, **nowhere}})
    yield "a pin to a version that is not there", _status(answer)


def _lists(api: Api) -> Iterator[Answer]:
    if api.pair is None:
        raise _NotMade("there are no two tools to ask about")
    one, two = api.pair
    listed = api.send("GET", "/tool", createdAtGe=str(one["createdAt"]), limit="1000").json()
    ids = [item.get("id") for item in listed]
    if {one["id"], two["id"]} <= set(ids):
        order = "newest first" if ids.index(two["id"]) < ids.index(one["id"]) else "oldest first"
    else:
        order = "a new tool is missing"
    yield "the order of a list", order if one["createdAt"] != two["createdAt"] else "both are of one time"
    nothing = api.send("GET", "/tool", limit="0")
    empty = "empty" if nothing.text.strip() == "[]" else "not empty"
    yield "limit=0", f"{_status(nothing)}, {empty}"
    yield "limit=1001", _status(api.send("GET", "/tool", limit="1001"))


def _split(api: Api) -> Iterator[Answer]:
    made = _assistant(api).removeprefix("/assistant/")
    answer = api.send("GET", "/traffic-allocations/latest", assistantId=made)
    keys = ", ".join(sorted(document(answer))) if answer.is_success else _words(answer)
    yield "GET /traffic-allocations/latest of an assistant without a split", f"{_status(answer)}: {keys or 'empty'}"


def _published_rules(api: Api) -> Iterator[Answer]:
    array = [{"role": "system", "content": [{"type": "text", "text": "Be kind."}]}]
    bodies: dict[str, dict[str, Any]] = {
        "temperature 3": {"model": {**MODEL, "temperature": 3}},
        "an unknown field in the model": {"model": {**MODEL, "aFieldOfTomorrow": 1}},
        "an unknown name of a model": {"model": {**MODEL, "model": "gpt-of-tomorrow"}},
        "an unknown kind in serverMessages": {"serverMessages": ["tool-calls", "gossip"]},
        "a message whose content is an array": {"model": {**MODEL, "messages": array}},
    }
    for name, body in bodies.items():
        yield name, _status(api.send("PATCH", _assistant(api), body))


def _odd_texts(api: Api) -> Iterator[Answer]:
    answer = api.send("PATCH", _assistant(api), raw=b'{"metadata":' + _ODD + b"}")
    yield "PATCH with a cut emoji and odd numbers", _status(answer)
    stored = document(api.send("GET", _assistant(api))).get("metadata") or {}
    for name in ("surrogate", "line", "big", "exponent", "point"):
        yield f"stored of {name}", ascii(stored.get(name))
    nul = api.send("PATCH", _assistant(api), raw=rb'{"metadata":{"nul":"\u0000"}}')
    kept = (document(nul).get("metadata") or {}).get("nul")
    yield "U+0000 in a text", f"{_status(nul)}, {kept!a}" if nul.is_success else _status(nul)


def _make(api: Api, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = api.create(kind, body)
    made = document(answer)
    if not isinstance(made.get("id"), str):
        raise _NotMade(f"POST /{kind} is answered with {answer.status_code} {_words(answer)}")
    return made


def _assistant(api: Api) -> str:
    if api.assistant is None:
        raise _NotMade("there is no assistant to ask about")
    return api.assistant


def _status(answer: httpx.Response) -> str:
    return str(answer.status_code)


def _words(answer: httpx.Response) -> str:
    said = document(answer).get("message", answer.text)
    return _ID.sub("<id>", printable(str(said)))
