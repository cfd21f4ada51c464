"""I9: nothing of an organization stems from, or reaches, another one."""

from tests.checker.history import History
from tests.checker.vapi import linked
from tests.checker.verdict import Result


def check(history: History) -> Result:
    """Judge records, events, tools and links by the organization that each names."""
    result = Result("I9", "an organization's tools, links, records and outcomes are its own")
    by_hand = {(line["topic"], line["partition"], line["offset"]) for line in history.ledger("poison")}
    for message in (*history.input, *history.output):
        if message.type is not None and message.body and "org_id" in message.body:
            result.judged += 1
            if not (message.key == message.org == message.body.get("org_id")) and message.place not in by_hand:
                result.broken("a record's key, header and body name different organizations", place=message.place)
    for event in history.events_of("ToolRegistered", "ToolUpdated"):
        result.judged += 1
        owner = history.vapi.tool_keys.get(event.data["vapi_tool_id"])
        if owner is None:
            result.broken("a registered tool does not carry this installation's marker", **event.brief())
        elif (owner.org, owner.name) != (event.org, event.data["name"]):
            result.broken("a registered tool was made for another organization", owner=owner, **event.brief())
    for event in history.events_of("AssistantSynced", "AssistantSyncFailed", "AssistantLinked"):
        for tool in event.data.get("tools") or []:
            owner = history.vapi.tool_keys.get(tool["vapi_tool_id"])
            if owner is not None and owner.org != event.org:
                result.broken("an outcome or link names another organization's tool", owner=owner, **event.brief())
    dead = 0
    for (org, agent_id), row in history.agents.items():
        assistant = history.live_assistants.get(row["vapi_assistant_id"])
        for tool_id in linked(assistant)[0] if assistant else ():
            owner = history.vapi.tool_keys.get(tool_id)
            if owner is None or owner.org == org:
                continue
            if tool_id not in history.live_tools:  # nobody can ask Vapi whose it was; the outcome is TS-308, see I16
                dead += 1
            else:
                result.broken("an assistant links another organization's tool", agent=agent_id, org=org, owner=owner)
    result.figures["links to another organization's tool that is gone"] = dead
    return result
