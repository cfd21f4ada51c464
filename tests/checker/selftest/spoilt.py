"""Ways to spoil the dump of a good run in one place. Each function changes the dump that it is given."""

import copy
import json
import uuid

from tests.checker.dump import Dump, Row
from tests.checker.wire import message_of, packed


def drop_outcome_record(dump: Dump) -> None:
    """An outcome never reaches the topic."""
    dump.records.remove(_record(dump, "ToolsSynced"))


def drop_saved_record(dump: Dump) -> None:
    """A save never reaches the topic."""
    dump.records.remove(_record(dump, "AssistantSaved"))


def drop_outcome_event(dump: Dump) -> None:
    """A save has no outcome at all."""
    request = _body(_record(dump, "AssistantSaved"))["request_id"]
    dump.tables["tool_sync.events"] = [
        event for event in dump.table("tool_sync.events")
        if not (event["type"] == "AssistantSynced" and request in event["data_text"])
    ]  # fmt: skip


def second_outcome(dump: Dump) -> None:
    """An outcome is there again, with another id and the next sequence."""
    record = copy.deepcopy(_record(dump, "ToolsSynced"))
    body = _body(record)
    last = max(_body(r)["sequence"] for r in dump.records if r["key"] == record["key"] and "sequence" in _body(r))
    _rewrite(record, {**body, "sequence": last + 1}, ce_id=str(uuid.uuid4()), ce_sequence=f"{last + 1:020d}")
    record["offset"] = 10_000
    dump.records.append(record)


def sequence_hole(dump: Dump) -> None:
    """A sequence is left out, in log and topic alike."""
    for event in dump.table("tool_sync.events"):
        data = json.loads(event["data_text"])
        if event["type"] == "AssistantSynced" and data["sequence"] == 2:
            event["data_text"] = json.dumps({**data, "sequence": 3})
            return
    raise AssertionError("no outcome has sequence 2")


def content_of_id_changes(dump: Dump) -> None:
    """A repeated record says something else under the same id."""
    record = copy.deepcopy(_record(dump, "ToolsSynced"))
    _rewrite(record, {**_body(record), "revision": 99})
    record["offset"] = 10_000
    dump.records.append(record)


def swap_versions(dump: Dump) -> None:
    """Two events of a stream change places."""
    events = dump.table("tool_sync.events")
    first = next(event for event in events if event["version"] == 2 and event["stream"].startswith("toolset-"))
    second = next(event for event in events if event["version"] == 3 and event["stream"] == first["stream"])
    first["version"], second["version"] = 3, 2


def flip_byte(dump: Dump) -> None:
    """One character of a stored event is another one."""
    event = next(event for event in dump.table("tool_sync.events") if event["type"] == "ToolRegistered")
    event["data_text"] = event["data_text"].replace("definition_hash", "definition_hasg", 1)


def drop_position(dump: Dump) -> None:
    """An event that nobody would miss is gone from the log."""
    events = dump.table("tool_sync.events")
    events.remove(next(event for event in events if event["type"].endswith("Started")))


def other_row(dump: Dump) -> None:
    """A row of org_tools names another tool."""
    dump.table("tool_sync.org_tools")[0]["vapi_tool_id"] = str(uuid.uuid4())


def second_tool(dump: Dump) -> None:
    """An organization has a second tool of the same name."""
    tools = _resources(dump, "tools")
    tools.append({**next(tool for tool in tools if "parameters" in tool), "id": str(uuid.uuid4())})


def second_assistant(dump: Dump) -> None:
    """An agent has a second assistant."""
    assistants = _resources(dump, "assistants")
    assistants.append({**assistants[0], "id": str(uuid.uuid4())})


def unlinked(dump: Dump) -> None:
    """A synced assistant has lost its tools."""
    for assistant in _resources(dump, "assistants"):
        assistant["model"]["toolIds"] = []


def foreign_tool_removed(dump: Dump) -> None:
    """A write took somebody else's tool out of the assistant."""
    patch = _patch(dump)
    ours = {row["vapi_tool_id"] for row in dump.table("tool_sync.org_tools")}
    patch["body"]["model"]["toolIds"] = [tool for tool in patch["body"]["model"]["toolIds"] if tool in ours]


def foreign_field_changed(dump: Dump) -> None:
    """A write made an integer of somebody else's fraction."""
    _patch(dump)["body"]["model"]["knowledgeBase"]["deep"][1] = 2


def older_prompt(dump: Dump) -> None:
    """The assistant still says what it was told before the newest save."""
    ops = [op for op in dump.ledger if op["kind"] == "op" and op["prompt"].startswith(("first", "second"))]
    older, newer = ops[0]["prompt"], ops[1]["prompt"]
    for assistant in _resources(dump, "assistants"):
        for message in assistant["model"]["messages"]:
            message["content"] = message["content"].replace(newer, older)


def call_above_rate(dump: Dump) -> None:
    """The services were given one call less a minute than they made."""
    minutes: dict[str, int] = {}
    for entry in dump.journal:
        if entry["key"] in dump.settings["service_keys"]:
            minutes[entry["at"][:16]] = minutes.get(entry["at"][:16], 0) + 1
    dump.settings["requests_per_minute"] = max(minutes.values()) - 1


def cross_tenant_link(dump: Dump) -> None:
    """An assistant links another organization's tool."""
    rows = dump.table("tool_sync.org_tools")
    assistant = next(a for a in _resources(dump, "assistants") if a["metadata"]["organization_id"] == rows[0]["org_id"])
    other = next(row for row in rows if row["org_id"] != rows[0]["org_id"])
    assistant["model"]["toolIds"].append(other["vapi_tool_id"])


def foreign_mark_removed(dump: Dump) -> None:
    """A write took somebody else's words out of the metadata."""
    patch = _patch(dump)
    patch["body"]["metadata"] = {"agent_id": "a"}


def inline_twin(dump: Dump) -> None:
    """A synced assistant has another tool of the same name."""
    twin = {"type": "function", "function": {"name": dump.table("tool_sync.org_tools")[0]["tool_name"]}}
    _resources(dump, "assistants")[0]["model"]["tools"] = [twin]


def tool_calls_not_sent(dump: Dump) -> None:
    """Calls of a tool are not sent from a synced assistant."""
    _resources(dump, "assistants")[0]["serverMessages"] = ["status-update"]


def tool_called_elsewhere(dump: Dump) -> None:
    """A tool of ours is called at an address that nobody here gave it."""
    tool = next(tool for tool in _resources(dump, "tools") if "parameters" in tool)
    tool["server"]["url"] = "https://elsewhere.example.test"


def dangling_foreign_id(dump: Dump) -> None:
    """A synced assistant names a tool that does not exist."""
    _resources(dump, "assistants")[0]["model"]["toolIds"].append(str(uuid.uuid4()))


def marked_for_another(dump: Dump) -> None:
    """An assistant that no row names carries one clinic's mark and another clinic's tool."""
    rows = dump.table("tool_sync.org_tools")
    other = next(row for row in rows if row["org_id"] != rows[0]["org_id"])
    assistants = _resources(dump, "assistants")
    copied = copy.deepcopy(next(a for a in assistants if a["metadata"]["organization_id"] == rows[0]["org_id"]))
    assistants.append({**copied, "id": str(uuid.uuid4())})
    assistants[-1]["model"]["toolIds"] = [other["vapi_tool_id"]]


def deleted_what_is_not_ours(dump: Dump) -> None:
    """A service deleted an assistant that it had not made."""
    entry = copy.deepcopy(_patch(dump))
    other = str(uuid.uuid4())
    entry |= {"sequence": len(dump.journal) + 1, "method": "DELETE", "path": f"/assistant/{other}", "body": None}
    dump.journal.append(entry)


def made_twice(dump: Dump) -> None:
    """A tool was made twice; nobody sees the first any more."""
    entry = copy.deepcopy(next(e for e in dump.journal if e["route"] == "POST /tool" and e["executed"]))
    entry |= {"sequence": len(dump.journal) + 1, "created": [str(uuid.uuid4())]}
    dump.journal.append(entry)


def prompt_on_topic(dump: Dump) -> None:
    """An outcome repeats what an assistant was told."""
    record = _record(dump, "ToolsSynced")
    _rewrite(record, {**_body(record), "message": dump.ledger[0]["prompt"]})


def parked_good_record(dump: Dump) -> None:
    """A good record was called bad."""
    record = _record(dump, "AssistantSaved")
    place = {name: record[name] for name in ("topic", "partition", "offset")}
    dump.table("tool_sync.dead_letters").append({"id": 1_000, "reason": "unknown type", **place})


def poison_dropped(dump: Dump) -> None:
    """A bad record was neither taken in nor kept."""
    dump.table("tool_sync.dead_letters").pop()


def parked_twice(dump: Dump) -> None:
    """A bad record was kept twice."""
    letters = dump.table("tool_sync.dead_letters")
    letters.append({**letters[0], "id": 1_000})


def unreadable_without_outcome(dump: Dump) -> None:
    """A save whose message was bad is never answered."""
    request = next(line["request_id"] for line in dump.ledger if line.get("request_id") and line["kind"] == "poison")
    dump.tables["tool_sync.events"] = [
        event for event in dump.table("tool_sync.events")
        if not (event["type"] == "AssistantSyncFailed" and request in event["data_text"])
    ]  # fmt: skip


def work_left(dump: Dump) -> None:
    """Something is still to be done."""
    dump.table("tool_sync.pending_syncs")[0]["requested"] += 1


def _record(dump: Dump, name: str) -> Row:
    """The first good record of a type: those that were put there by hand are not taken."""
    by_hand = {(line["topic"], line["partition"], line["offset"]) for line in dump.ledger if line["kind"] == "poison"}
    return next(
        record
        for record in dump.records
        if _type(record) == f"zerotouch.{name}.v1"
        and (record["topic"], record["partition"], record["offset"]) not in by_hand
    )


def made_with_anothers_tool(dump: Dump) -> None:
    """An assistant is made with the tool of another clinic."""
    first = _creations(dump)[0]
    org = first["body"]["metadata"]["organization_id"]
    first["body"]["model"]["toolIds"] = [next(tool for told, tool in _told_tools(dump) if told != org)]


def made_with_a_tool_before_it_was_told(dump: Dump) -> None:
    """A clinic's first assistant is made with the tool that is made for it later."""
    first = _creations(dump)[0]
    org = first["body"]["metadata"]["organization_id"]
    first["body"]["model"]["toolIds"] = [next(tool for told, tool in _told_tools(dump) if told == org)]


def _told_tools(dump: Dump) -> list[tuple[str, str]]:
    """Clinics and the tools that their outcomes name."""
    outcomes = (_body(record) for record in dump.records if _type(record) == "zerotouch.ToolsSynced.v1")
    return [(outcome["org_id"], tool["vapi_tool_id"]) for outcome in outcomes for tool in outcome["tools"]]


def _creations(dump: Dump) -> list[Row]:
    """The creations of assistants by a service, in order."""
    return [
        entry
        for entry in dump.journal
        if entry["route"] == "POST /assistant"
        and entry["key"] in dump.settings["service_keys"]
        and "zerotouch_installation" in ((entry["body"] or {}).get("metadata") or {})
    ]


def _type(record: Row) -> str | None:
    return message_of(record).type


def _body(record: Row) -> Row:
    return message_of(record).body


def _rewrite(record: Row, body: Row, **headers: str) -> None:
    record["value"] = packed(json.dumps(body).encode())
    record["headers"] = [
        [name, packed(headers[name].encode()) if name in headers else value] for name, value in record["headers"]
    ]


def _resources(dump: Dump, kind: str) -> list[Row]:
    [vapi_org] = dump.state["vapi_orgs"].values()
    found: list[Row] = vapi_org[kind]
    return found


def _patch(dump: Dump) -> Row:
    """A service's PATCH of the assistant that somebody else has edited."""
    return next(
        entry
        for entry in dump.journal
        if entry["route"] == "PATCH /assistant/{id}"
        and entry["key"] in dump.settings["service_keys"]
        and "knowledgeBase" in (entry["body"] or {}).get("model", {})
    )
