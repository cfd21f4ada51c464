"""I16: `synced` is said only where a caller can book. I17: no tool changes clinics, and what is not ours stays.

Judged from the sandbox's side, by rules that share nothing with those that tool-sync decides by.
"""

from collections.abc import Iterator
from datetime import datetime

from tests.checker.dump import Row
from tests.checker.history import Event, History
from tests.checker.vapi import assistant_key, called, linked
from tests.checker.verdict import Result


def check_synced(history: History) -> Result:
    """I16: at rest, the next caller of an assistant that was last called synced reaches each of its tools."""
    result = Result("I16", "an assistant is called synced only where its next caller reaches our tools")
    if not history.settings["at_rest"]:
        return result
    for (org, agent_id), event in history.newest_outcome.items():
        row = history.agents.get((org, agent_id))
        assistant = history.live_assistants.get(row["vapi_assistant_id"]) if row else None
        if event.type != "AssistantSynced" or assistant is None or event.data["assistant_id"] != assistant["id"]:
            continue
        result.judged += 1
        if _changed_since(history, assistant, event):
            continue  # by somebody else: it is found by the next save, look or audit
        for tool in event.data["tools"]:
            if why := _hindrance(history, assistant, org, tool):
                result.broken(f"an assistant is called synced, and {why}", agent=agent_id, **event.brief())
    return result


def check_strangers(history: History) -> Result:
    """I17: at rest no tool of ours is on an assistant of another clinic; and we delete nothing that we did not make."""
    result = Result("I17", "no tool is on another clinic's assistant, and nothing is deleted that we did not make")
    for resource, entry in history.vapi.deleted_by_us.items():
        result.judged += 1
        if resource not in history.vapi.made_by_us:
            result.broken("a service deleted what it had not made", journal=entry["sequence"], resource=resource)
    rows = {row["vapi_assistant_id"]: org for (org, _), row in history.agents.items() if row["vapi_assistant_id"]}
    left_behind = 0
    for assistant_id, assistant in history.live_assistants.items() if history.settings["at_rest"] else ():
        mark = assistant_key(assistant, history.installation)
        org = rows.get(assistant_id) or (mark.org if mark else None)
        ids, pinned = linked(assistant)
        owners = {tool: history.vapi.tool_keys[tool] for tool in (*ids, *pinned) if tool in history.vapi.tool_keys}
        result.judged += 1
        for tool, owner in owners.items():
            if tool in history.live_tools and org is not None and owner.org != org:
                result.broken("a tool of ours is on another clinic's assistant", tool=tool, owner=owner, of=org)
        left_behind += org is None and bool(owners)
    result.figures["assistants of nobody that still link a tool of ours"] = left_behind
    return result


def _changed_since(history: History, assistant: Row, event: Event) -> bool:
    """Whether somebody else has written to the assistant, or to a tool that it names, after the outcome."""
    since = datetime.fromisoformat(event.row["recorded_at_text"])
    paths = {f"/assistant/{assistant['id']}", *(f"/tool/{tool}" for tool in _ids(assistant))}
    return any(
        entry["path"] in paths and datetime.fromisoformat(entry["at"]) > since for entry in history.foreign_writes
    )


def _hindrance(history: History, assistant: Row, org: str, tool: Row) -> str | None:
    ids = list(_ids(assistant))
    if gone := [one for one in ids if one not in history.live_tools]:
        return f"the call fails, as it names {gone[0]}, which does not exist"
    kinds = assistant.get("serverMessages")
    if isinstance(kinds, list) and "tool-calls" not in kinds:
        return "no tool call is sent"
    model = assistant["model"]
    if any(called(inline) == tool["name"] for inline in model.get("tools") or []):
        return "an inline tool has the same name"
    same = [one for one in ids if called(history.live_tools[one]) == tool["name"]]
    if same != [tool["vapi_tool_id"]]:
        return f"{len(same)} tools of the same name are linked: {same}"
    url = (history.live_tools[same[0]].get("server") or {}).get("url")
    owner = history.vapi.tool_keys.get(same[0])
    if owner is None or owner.org != org:
        return "its tool is another clinic's"
    return None if url == history.vapi.tool_urls.get(same[0]) else f"its tool is called at {url}"


def _ids(assistant: Row) -> Iterator[str]:
    ids, pinned = linked(assistant)
    yield from (str(one) for one in (*ids, *pinned))
