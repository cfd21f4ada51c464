"""I4: every assistant has its tools and its newest save, and what is not ours was never touched."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tests.checker.dump import Row
from tests.checker.history import History
from tests.checker.rules.tools import fold_tools
from tests.checker.vapi import Key, Write, assistant_key, linked
from tests.checker.verdict import Result
from tests.checker.wire import canonical

READ_TO_WRITE_SECONDS_MAX = 30.0
"""How old what a write is built on may be: longer than any deadline. Vapi has no version check."""
UNKNOWN_LANDS_SECONDS_MAX = 60.0
"""How long after its client gave up a save of unknown end may still be stored."""
OUR_FIELDS = frozenset({"name", "model", "firstMessage", "voice", "metadata"})
OUR_METADATA = frozenset({"zerotouch_installation", "organization_id", "agent_id", "zerotouch_attempt"})
OUR_MODEL_FIELDS = frozenset({"provider", "model", "messages", "toolIds"})
_BLOCK = re.compile(r"(?:\n\n)?<!-- zerotouch:tools -->.*?<!-- /zerotouch:tools -->", re.DOTALL)


def check(history: History) -> Result:
    """Judge links and prompts at rest, and every write on the way."""
    result = Result("I4", "assistants have their tools and their newest save; nothing foreign was touched")
    if history.settings["at_rest"]:
        folded, gone = fold_tools(history)
        by_org: dict[str, list[tuple[Key, Row]]] = defaultdict(list)
        for key, tool in folded.items():
            by_org[key.org].append((key, tool))
        for (org, agent_id), row in history.agents.items():
            assistant = history.live_assistants.get(row["vapi_assistant_id"])
            if assistant is None:
                continue
            result.judged += 1
            _prompt(history, org, row, assistant, result)
            newest = history.newest_outcome.get((org, agent_id))
            if newest is not None and newest.type == "AssistantSynced":
                mine = [row for key, row in by_org[org] if key not in gone]
                wanted = {row["vapi_tool_id"] for row in mine if row["enabled"]}
                retired = {row["vapi_tool_id"] for row in mine} - wanted
                _links(history, agent_id, assistant, wanted, retired, result)
    raced = sum(_write(history, write, result) for write in history.vapi.writes if write.ours)
    result.figures |= {"assistant writes": sum(w.ours for w in history.vapi.writes), "raced edits": raced}
    return result


def _links(history: History, agent_id: str, assistant: Row, own: set[str], retired: set[str], result: Result) -> None:
    tool_ids, pinned = linked(assistant)
    where = {"agent": agent_id, "assistant": assistant["id"], "toolIds": tool_ids}
    missing = {
        tool for tool in own - set(tool_ids) - set(pinned) if not _last_by_others(history, assistant["id"], tool)
    }
    if missing:
        result.broken("a synced assistant lacks tools", missing=sorted(missing), **where)
    for tool in retired & set(tool_ids):
        if not _last_by_others(history, assistant["id"], tool):
            result.broken("an assistant links a tool that the organization does not want any more", tool=tool, **where)
    if dangling := [t for t in tool_ids if t in history.vapi.tool_keys and t not in history.live_tools]:
        result.broken("an assistant links a tool that is gone", dangling=dangling, **where)
    if len(set(tool_ids)) < len(tool_ids):
        result.broken("an assistant links a tool twice", **where)


def _last_by_others(history: History, assistant_id: str, tool_id: str) -> bool:
    """Whether it was somebody else who last linked or unlinked a tool of ours: theirs stays until the next save."""
    for write in reversed(history.vapi.writes_of[assistant_id]):
        if (tool_id in linked(write.before)[0]) != (tool_id in linked(write.after)[0]):
            return not write.ours
    return False


def _prompt(history: History, org: str, row: Row, assistant: Row, result: Result) -> None:
    wanted = row["system_prompt"]
    allowed = set(_allowed_prompts(history, org, row["id"]))
    if allowed and wanted not in allowed:
        result.broken("the row does not hold the newest save", agent=row["id"], row=wanted, newest=sorted(allowed))
    if wanted is None or row["provisioned_revision"] < row["saved_revision"] or _edited(history, assistant["id"]):
        return
    found = [_BLOCK.sub("", str(m.get("content"))) for m in _messages(assistant) if m.get("role") == "system"]
    if wanted not in found:
        result.broken("an assistant does not say its newest save", agent=row["id"], wanted=wanted, found=found)


def _allowed_prompts(history: History, org: str, agent_id: str) -> Iterator[str]:
    """The prompts of the saves that no other acknowledged save followed."""
    saves = history.told.get((org, agent_id), [])
    newest_start = max((op["started"] for op in saves if op["state"] == "ok"), default=0.0)
    for op in saves:
        lands_by = op["ended"] if op["state"] == "ok" else op["ended"] + UNKNOWN_LANDS_SECONDS_MAX
        if lands_by >= newest_start:
            yield op["prompt"]


def _edited(history: History, assistant_id: str) -> bool:
    """Whether the last change of the messages was somebody else's: theirs stays until the next save."""
    for write in reversed(history.vapi.writes_of[assistant_id]):
        if canonical(_messages(write.before)) != canonical(_messages(write.after)):
            return not write.ours
    return False


def _write(history: History, write: Write, result: Result) -> bool:
    """Judge a write of ours; True where it fell on top of a foreign edit that came after it was read."""
    fields = set(write.entry["body"])
    where: Row = {"journal": write.entry["sequence"], "assistant": write.assistant}
    if surplus := fields - OUR_FIELDS:
        result.broken("a write names fields that are not ours", fields=sorted(surplus), **where)
    if not fields & {"model", "metadata"}:
        return False
    key = assistant_key(write.after, history.installation) or assistant_key(write.before, history.installation)
    row = history.agents.get((key.org, key.name)) if key else None
    ours = OUR_MODEL_FIELDS | set((row or {}).get("model") or {})
    after = _foreign(history, write.after, ours)
    if any(canonical(_foreign(history, base, ours)) == canonical(after) for base in _bases(history, write)):
        _added(history, write, key, result)
        return canonical(_foreign(history, write.before, ours)) != canonical(after)
    before = _foreign(history, write.before, ours)
    wrong = sorted(
        name for name in before.keys() | after.keys() if canonical(before.get(name)) != canonical(after.get(name))
    )
    result.broken("a write changed what is not ours", changed=wrong, before=before, after=after, **where)
    return False


def _bases(history: History, write: Write) -> Iterator[Row]:
    """What the assistant was at some time between the reading and the write, newest first."""
    for at, content in reversed(history.vapi.versions[write.assistant]):
        if at < write.at:
            yield content
            if at < write.at - READ_TO_WRITE_SECONDS_MAX:
                return


def _added(history: History, write: Write, key: Key | None, result: Result) -> None:
    """What a write links is of the clinic whose mark the assistant carries then, or carried when it was read.

    One that went from clinic to clinic between the two is mended by the next clinic's save; I17 sees to that at rest.
    """
    marks = [key, *(assistant_key(base, history.installation) for base in _bases(history, write))]
    orgs = {mark.org for mark in marks if mark is not None}
    for tool_id in set(linked(write.after)[0]) - set(linked(write.before)[0]):
        owner = history.vapi.tool_keys.get(tool_id)
        if owner is not None and key is not None and owner.org not in orgs:
            result.broken("an assistant got another organization's tool", rule="I9", tool=tool_id, owner=owner, of=key)


def _foreign(history: History, content: Row, ours: frozenset[str]) -> Row:
    """What of a model is not ours: other fields, other messages, other tool ids in their order."""
    metadata = content.get("metadata")
    kept = (
        {name: value for name, value in metadata.items() if name not in OUR_METADATA}
        if isinstance(metadata, dict)
        else {}
    )
    model = content.get("model")
    if not isinstance(model, dict):
        return {"(metadata)": kept}
    refs = model.get("toolRefs") or []
    return {
        **{name: value for name, value in model.items() if name not in ours and name != "toolRefs"},
        "(metadata)": kept,
        "(toolRefs)": [ref for ref in refs if ref.get("toolId") not in history.vapi.tool_keys],
        "(messages)": [message for message in _messages(content) if message.get("role") != "system"],
        "(toolIds)": [tool for tool in linked(content)[0] if tool not in history.vapi.tool_keys],
    }


def _messages(content: Row) -> list[Row]:
    model: Any = content.get("model")
    messages = model.get("messages") if isinstance(model, dict) else None
    return [message for message in messages or [] if isinstance(message, dict)]
