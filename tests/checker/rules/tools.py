"""I2 and I3: exactly one live tool and assistant where one belongs, and nothing made in vain on the way."""

from collections import defaultdict

from tests.checker.dump import Row
from tests.checker.history import History
from tests.checker.vapi import Key, assistant_key, tool_key
from tests.checker.verdict import Result

ROW_FROM_EVENT = ("vapi_tool_id", "account", "definition_version", "definition_hash")
SETTING_ROW_EVENTS = ("ToolRegistered", "ToolUpdated", "ToolReinstated")
ENDING_ROW_EVENTS = ("ToolVanished", "ToolRetired", "ToolDeleted")


def check_one(history: History) -> Result:
    """I2: sandbox, ``org_tools`` and the fold of the log agree."""
    result = Result("I2", "one live tool per organization and name = org_tools = fold of the log")
    folded, gone = fold_tools(history)
    rows = {Key(row["org_id"], row["tool_name"]): row for row in history.dump.table("tool_sync.org_tools")}
    for key in folded.keys() | rows.keys():
        expected, found = folded.get(key), rows.get(key)
        if expected is None or found is None:
            result.broken("fold and org_tools differ: a row is only in one", key=key, fold=expected, row=found)
        elif wrong := [name for name, value in expected.items() if found[name] != value]:
            result.broken(f"fold and org_tools differ: {', '.join(wrong)}", key=key, fold=expected, row=found)
    result.judged = len(rows)
    if history.settings["at_rest"]:
        _at_rest(history, folded, gone, result)
    return result


def fold_tools(history: History) -> tuple[dict[Key, Row], set[Key]]:
    """``org_tools`` as the log has it, and the keys whose tool is gone from Vapi, for good or until it is made anew."""
    folded: dict[Key, Row] = {}
    gone: set[Key] = set()
    for event in history.events_of(*SETTING_ROW_EVENTS, *ENDING_ROW_EVENTS):
        key = Key(event.org or "", event.data["name"])
        row = folded.setdefault(key, {"id": event.position})
        row |= {name: event.data[name] for name in ROW_FROM_EVENT if name in event.data}
        row |= {"enabled": event.type in SETTING_ROW_EVENTS, "position": event.position}
        if event.type in ("ToolVanished", "ToolDeleted"):
            gone.add(key)
        else:
            gone.discard(key)
    return folded, gone


def check_assistants(history: History) -> Result:
    """I2a: one live assistant per agent, the one that the row names."""
    result = Result("I2a", "one live assistant per agent", judged=len(history.agents))
    if not history.settings["at_rest"]:
        return result
    living: dict[Key, list[str]] = defaultdict(list)
    for assistant_id, assistant in history.live_assistants.items():
        if (key := assistant_key(assistant, history.installation)) is not None:
            living[key].append(assistant_id)
    for (org, agent_id), row in history.agents.items():
        named, found = row["vapi_assistant_id"], living.pop(Key(org, agent_id), [])
        if named is None and row["refused_revision"] >= row["saved_revision"] and not found:
            continue
        if any(assistant_id != named for assistant_id in found) or (found and named is None):
            result.broken("an agent has another assistant than its row names", row=named, found=found, agent=agent_id)
        newest = history.newest_outcome.get((org, agent_id))
        if named not in history.live_assistants and newest is not None and newest.type == "AssistantSynced":
            result.broken("a synced agent's assistant is not there", agent=agent_id, org=org, assistant=named)
    for key, found in living.items():
        result.broken("an assistant lives that no agent has", key=key, found=found)
    return result


def check_surplus(history: History) -> Result:
    """I3: creations beyond the first and those that made up for a deletion."""
    result = Result("I3", "nothing is made twice; at most one per pause")
    # A log that was lost may alone know a tool that somebody deleted and that was made anew.
    logs = history.logs.values()
    registered = {e.data["vapi_tool_id"] for log in logs for e in log if e.type == "ToolRegistered"}
    saved = {m.body.get("assistant_id") for m in history.input}
    surplus: dict[Key, int] = {}
    deletions = [op for op in history.ledger("op") if op["op"].startswith("delete_") and op["state"] != "fail"]
    asked = {(op["org"], op.get("agent")) for op in deletions}
    for made, known in ((history.vapi.tools_made, registered), (history.vapi.assistants_made, saved)):
        for key, ids in made.items():
            wanted_gone = (
                known if made is history.vapi.tools_made or not asked & {(key.org, key.name), (key.org, None)} else ids
            )
            replaced = sum(item in history.vapi.deleted and item in wanted_gone for item in ids)
            result.judged += len(ids)
            if (beyond := len(ids) - 1 - replaced) > 0:
                surplus[key] = beyond
    pauses = sum(bool(line.get("pause")) for line in history.ledger("fault"))
    total = sum(surplus.values())
    result.figures |= {"surplus creations": total, "pauses": pauses}
    if total > pauses:
        for key, beyond in surplus.items():
            made_ids = history.vapi.tools_made.get(key) or history.vapi.assistants_made.get(key)
            result.broken(f"{beyond} made beyond the needed, with {pauses} pauses in the run", key=key, ids=made_ids)
    return result


def _at_rest(history: History, folded: dict[Key, Row], gone: set[Key], result: Result) -> None:
    living: dict[Key, list[str]] = defaultdict(list)
    for tool_id, tool in history.live_tools.items():
        if (key := tool_key(tool, history.installation)) is not None:
            living[key].append(tool_id)
    for key, row in folded.items():
        found = living.pop(key, [])
        if key in gone:
            if found:
                result.broken("a tool lives that the log calls gone", key=key, found=found)
        elif found != [row["vapi_tool_id"]]:
            result.broken("the live tools are not the one of the log", key=key, log=row["vapi_tool_id"], found=found)
    for key, found in living.items():
        result.broken("a tool lives that the log does not know", key=key, found=found)
