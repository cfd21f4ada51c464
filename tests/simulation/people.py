"""Who else acts: somebody in the dashboard, a team that confuses its assistants, and an operator of tool-sync.

The outsider plants what stands between a caller and our tool, and takes it back. An audit reads Vapi and tells the log
what has become of our tools there, as `check --live` does.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID

from tool_sync.domain import events as e
from tool_sync.domain.drift import ids_to_unlink, is_as_told, is_at_rest
from tool_sync.domain.events import ToolRef
from tool_sync.domain.reach import Known, NamedTool, named_ids
from tool_sync.domain.toolset import Assistant, Toolset
from tool_sync.publishing.fleet import empty_fleet, with_events
from tool_sync.sync.effects.named import named_tool
from zerotouch_contracts.canonical import model_hash

from .clinic import Agent, Clinic, Foreign
from .faults import OUTSIDER_FAULTS, Faults
from .releases import INSTALLATION, PUBLISHED, said
from .vapi import Json, Server

ELSEWHERE = "https://elsewhere.example.test"
ACCOUNT = "platform"
REWORDED = "Books, in other words."


@dataclass(frozen=True, slots=True)
class Planted:
    """What somebody put into an assistant, and how it is taken out of what is read then."""

    assistant_id: str
    taken_back: Callable[[Json], Json]


class People:
    """``tool_name``: what a twin is called."""

    def __init__(self, clinic: Clinic, server: Server, faults: Faults, dice: Random, tool_name: str) -> None:
        self.planted: list[Planted] = []
        self.edited: dict[str, Json] = {}
        """Tools of ours that somebody has changed, as they were, by id."""
        self.mistaken: list[tuple[UUID, str, str]] = []
        self._clinic, self._server, self._faults, self._dice, self._name = clinic, server, faults, dice, tool_name
        self._number = 0

    # --- in the dashboard ---------------------------------------------------------------------------------------------

    async def edit(self, agent: Agent) -> None:
        """Somebody in the dashboard adds a tool of theirs and a field, over what they see."""
        assistant_id = agent.assistant_id
        read = self._server.assistants.get(assistant_id)
        await self._clinic.a_moment(0.5)
        if read is None or assistant_id not in self._server.assistants:
            return
        foreign = self._foreign(assistant_id)
        mine = f"outsider-{len(foreign.tools)}"
        if mine not in self._server.tools:
            self._server.add_tool(mine)
        now = self._server.assistants[assistant_id]
        model = {**now["model"], "toolIds": [*now["model"].get("toolIds", ()), mine], "temperature": 0.7}
        self._write(assistant_id, {"model": model})
        foreign.tools.append(mine)
        foreign.fields["temperature"] = 0.7

    def plant(self, agent: Agent) -> bool:
        """Put something in the way of an assistant's callers, if this run has such a thing; whether it did."""
        kind = next((name for name in OUTSIDER_FAULTS if self._faults.hits(name)), None)
        assistant = self._server.assistants.get(agent.assistant_id)
        if kind is None or assistant is None:
            return kind is not None
        self._number += 1
        match kind:
            case "inline_twin":
                twin = {"type": "function", "function": {"name": self._name}, "note": self._number}
                self._plant_in_model(assistant, "tools", twin)
            case "saved_twin":
                self._plant_in_model(
                    assistant, "toolIds", self._server.add_tool(f"twin-{self._number}", self._name)["id"]
                )
            case "dangling_id":
                self._plant_in_model(assistant, "toolIds", f"gone-{self._number}")
            case "silence":
                self._write(assistant["id"], {"serverMessages": ["end-of-call-report"]})
                self.planted.append(Planted(assistant["id"], lambda _: {"serverMessages": None}))
            case "strange_tool":
                self._link_a_strange_tool(assistant, agent.org_id)
            case "edit_tool" | "delete_tool":
                self._change_tool(agent, delete=kind == "delete_tool")
            case "take_back" if self.planted:
                self._take_back(self.planted.pop(self._dice.randrange(len(self.planted))))
        return True

    def take_all_back(self) -> None:
        """Clear the way."""
        while self.planted:
            self._take_back(self.planted.pop())

    def _plant_in_model(self, assistant: Json, key: str, what: Any) -> None:
        def without(read: Json) -> Json:
            kept = [item for item in read["model"].get(key) or () if item != what]
            return {"model": {**read["model"], key: kept}}

        now = assistant["model"].get(key) or ()
        self._write(assistant["id"], {"model": {**assistant["model"], key: [*now, what]}})
        self.planted.append(Planted(assistant["id"], without))

    def _link_a_strange_tool(self, assistant: Json, org_id: UUID) -> None:
        """A tool of ours that is another clinic's: nobody takes it back, tool-sync takes it out."""
        model = assistant["model"]
        linked = model.get("toolIds") or []
        others = [i for i in self._server.tools if i not in linked and self._server.owner_of(i) not in (None, org_id)]
        if others:
            self._write(assistant["id"], {"model": {**model, "toolIds": [*linked, self._dice.choice(others)]}})

    def _take_back(self, planted: Planted) -> None:
        read = self._server.assistants.get(planted.assistant_id)
        if read is not None:
            self._write(planted.assistant_id, planted.taken_back(read))

    def _write(self, assistant_id: str, changes: Json) -> None:
        if "model" in changes:
            self._foreign(assistant_id).raced = True
        self._server.execute("PATCH", f"/assistant/{assistant_id}", {}, changes)

    def _foreign(self, assistant_id: str) -> Foreign:
        return self._clinic.foreign[assistant_id]

    def _change_tool(self, agent: Agent, *, delete: bool) -> None:
        live = self._server.live_tools(agent.org_id, self._name)
        if not live or not hasattr(e, "ToolDriftSeen"):
            return
        tool = self._dice.choice(live)
        if delete:
            self._server.lose_tool(tool["id"])
        else:
            self._server.tools[tool["id"]] = {**tool, "server": {**tool["server"], "url": ELSEWHERE}}
            self.edited[tool["id"]] = tool

    def reword(self, org_id: UUID) -> None:
        """Somebody tries other words for the clinic's tool, by hand."""
        for tool in self._server.live_tools(org_id, self._name):
            self._server.tools[tool["id"]] = {**tool, "function": {**tool["function"], "description": REWORDED}}

    def redirect(self, org_id: UUID) -> None:
        """Somebody lets the clinic's tool be answered elsewhere."""
        for tool in self._server.live_tools(org_id, self._name):
            self._server.tools[tool["id"]] = {**tool, "server": {**tool["server"], "url": ELSEWHERE}}

    # --- the team -----------------------------------------------------------------------------------------------------

    def confuse(self, agent: Agent, org_id: UUID) -> None:
        """A save of another clinic names this agent's assistant, by mistake or by forgery."""
        self._number += 1
        name = f"mistaken-{self._number}"
        self.mistaken.append((org_id, name, agent.assistant_id))
        request_id = self._clinic.request(f"{name}, which names the assistant of {agent.agent_id}")
        event = e.SyncRequested(request_id, name, agent.assistant_id, 1, "0" * 64, "save", None)
        self._clinic.arrive(org_id, event, str(request_id))

    def clear_up(self) -> None:
        """The mistaken agents are deleted."""
        for org_id, name, assistant_id in self.mistaken:
            self._clinic.arrive(org_id, e.AssistantRemoved(name, assistant_id, 1), f"rm {name}")

    # --- operators ----------------------------------------------------------------------------------------------------

    def switch(self, org_id: UUID, name: str, *, on: bool) -> None:
        """``tool-sync tool enable | disable``; every second time on, ``reset``, which makes the same of it."""
        self._number += 1
        taken_back = on and self._number % 2 == 0
        event = e.ToolSettingRemoved(name, None) if taken_back else e.ToolSettingChanged(name, on)
        self._clinic.write(org_id, event, f"setting {self._number}")

    def pin(self, org_id: UUID, wanted: e.BlueprintPublished, until: datetime) -> None:
        """``tool-sync org pin``."""
        self._number += 1
        event = e.ToolPinned(
            wanted.name, wanted.version, wanted.definition_hash, wanted.tier, until, "because"
        )  # fmt: skip
        self._clinic.write(org_id, event, f"pin {self._number}")

    def unpin(self, org_id: UUID, name: str) -> None:
        """``tool-sync org unpin``."""
        self._number += 1
        self._clinic.write(org_id, e.ToolUnpinned(name, "because"), f"pin {self._number}")

    def keep_to(self, org_id: UUID, opens: str, closes: str) -> None:
        """Orders may change its tools at these hours only."""
        self._number += 1
        self._clinic.write(org_id, e.ChangeWindowSet(opens, closes), f"window {self._number}")

    def keep_to_no_hours(self, org_id: UUID) -> None:
        """Orders may change its tools at any time."""
        self._number += 1
        self._clinic.write(org_id, e.ChangeWindowRemoved(None), f"window {self._number}")

    def retry(self, org_id: UUID, agent_id: str | None) -> None:
        """``tool-sync failures retry``, of one assistant or of all that the clinic has."""
        self._number += 1
        self._clinic.write(org_id, e.RetryRequested(agent_id), f"retry {self._number}")

    def audit(self, org_id: UUID, state: Toolset, rows: Iterable[Assistant]) -> None:
        """Read the clinic's tools and assistants at Vapi, and note what somebody has changed."""
        for event in (*self._drift(state), *self._drift_of_assistants(org_id, state, rows)):
            self._number += 1
            self._clinic.write(org_id, event, f"audit {self._number}")

    def _is_of_a_lost_update(self, name: str, ref: ToolRef, there: Json) -> bool:
        """The survey finds what a restore has lost of the log: the tool is not as the log says that it was sent."""
        sent = PUBLISHED.get((name, ref.definition_hash))
        return self._clinic.was_restored and sent is not None and said(there) != said(sent)

    def _drift_of_assistants(self, org_id: UUID, state: Toolset, rows: Iterable[Assistant]) -> Iterator[Any]:
        # In half of the runs: what an audit finds is put right, and would never be seen to be wrong at rest.
        if self._faults.plan.seed is not None and self._faults.plan.seed % 2:
            return
        answered = with_events(empty_fleet(), self._clinic.fleet).answered_versions
        known = Known(INSTALLATION, org_id, state.tool_ids, frozenset(state.tools), versions=state.versions,
                      answered=answered)  # fmt: skip
        for row in rows:
            if row.removed or row.failed or not row.synced or not is_at_rest(state, row.agent_id):
                continue
            document = self._server.assistants.get(row.assistant_id)
            if document is None:
                continue  # who deleted it tells the log
            ids = named_ids(document)
            named = {
                one: named_tool(one, there) if (there := self._server.tools.get(one)) else NamedTool(one, exists=False)
                for one in ids
            }
            unwanted = ids_to_unlink(state)
            hashed = model_hash(document["model"])
            if not is_as_told(document, row, hashed, known=known, named=named, unwanted=unwanted):
                yield e.AssistantDriftSeen(row.agent_id, row.assistant_id, gone=False)

    def _drift(self, state: Toolset) -> Iterator[Any]:
        for name, ref in state.tools.items():
            there = self._server.tools.get(ref.vapi_tool_id)
            # One that was adopted as it was found, and is to stay so: nobody knows what it should say.
            is_edited = (
                there is not None and there["server"]["url"] == ELSEWHERE and (name, ref.definition_hash) in PUBLISHED
            )
            if there is not None and not is_edited and there["function"]["description"] == REWORDED:
                seen = e.ToolDriftSeen(ACCOUNT, name, ref.vapi_tool_id, False, ("description",), "0" * 64)
                if state.drifted.get(name) != seen:  # noted once
                    yield seen
            elif there is None or is_edited or self._is_of_a_lost_update(name, ref, there):
                yield e.ToolDriftSeen(ACCOUNT, name, ref.vapi_tool_id, there is None)
