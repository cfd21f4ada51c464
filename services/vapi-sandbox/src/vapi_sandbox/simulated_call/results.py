"""What the model hears of an answer, and what is wrong with the answer.

    {"results": [{"toolCallId": "call_1", "name": "bookClinicAppointment", "result": "one line"}]}

The model hears a `result` or an `error` only if it is a single-line string under the exact id of its tool call. A
missing or other `name`, another order and a wrong content type are reported and do no harm.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from vapi_sandbox.simulated_call.webhook import ToolCall

Kind = Literal["result", "error", "resolved", "nothing"]


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence for the model, and what it is."""

    kind: Kind
    text: str


# The wording of both is our choice. A call of an `async` tool is resolved before anybody has answered it.
RESOLVED = Said("resolved", "Success.")
NOTHING = Said("nothing", "No result returned.")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer says to one tool call (None: nothing that could be heard) and what is wrong with it."""

    said: Said | None
    problems: tuple[str, ...] = ()


def judge(body: bytes, content_type: str, calls: Sequence[ToolCall]) -> list[Verdict]:
    """Read the body of a 200 and judge it for each tool call of the webhook, in their order."""
    results = _results(body)
    if isinstance(results, str):
        return [Verdict(None, (results,)) for _ in calls]
    general = [] if "json" in content_type else [f"Content-Type is {content_type!r}, not application/json"]
    ids = [result.get("toolCallId") if isinstance(result, dict) else None for result in results]
    expected = [call.id for call in calls]
    if sorted(map(str, ids)) == sorted(expected) and ids != expected:
        general.append(f"results are in another order than the tool calls: {ids} instead of {expected}")
    general += [
        f"results.{place}: no tool call has the id {id_!r}" for place, id_ in enumerate(ids) if id_ not in expected
    ]
    return [
        _verdict(call, [results[place] for place, id_ in enumerate(ids) if id_ == call.id], general) for call in calls
    ]


def _results(body: bytes) -> list[Any] | str:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        return f"the body is no JSON: {error}"
    results = document.get("results") if isinstance(document, dict) else None
    return results if isinstance(results, list) else "the body has no array `results`"


def _verdict(call: ToolCall, results: list[dict[str, Any]], general: list[str]) -> Verdict:
    if not results:
        return Verdict(None, (*general, f"no result has the toolCallId {call.id!r}"))
    result, problems = results[0], [*general]
    if len(results) > 1:
        problems.append(f"{len(results)} results have the toolCallId {call.id!r}; the first counts")
    if result.get("name") != call.name:
        problems.append(f"name is {result.get('name')!r}, not {call.name!r}")
    given: list[Literal["result", "error"]] = [kind for kind in ("result", "error") if result.get(kind) is not None]
    if len(given) != 1:
        problems.append(f"there must be one of result and error, not {' and '.join(given) or 'neither'}")
    if not given:
        return Verdict(None, tuple(problems))
    kind, text = given[0], result[given[0]]
    if not isinstance(text, str):
        return Verdict(None, (*problems, f"{kind} must be a string, not {type(text).__name__}"))
    if text.splitlines() not in ([], [text]):
        return Verdict(None, (*problems, f"{kind} must be a single line"))
    return Verdict(Said(kind, text), tuple(problems))
