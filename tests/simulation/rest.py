"""What must hold at rest, when nothing is under way any more."""

from collections import Counter
from collections.abc import Callable
from uuid import UUID

from tool_sync.domain import events as e
from tool_sync.domain.events import ToolRef
from tool_sync.domain.evolve import evolve
from tool_sync.domain.toolset import Recorded, Toolset
from tool_sync.domain.wanted import WantedTool, wanted_for
from tool_sync.sync.blueprint import Blueprint
from zerotouch_contracts.tools import version_of

from .checks import Checks
from .clinic import Agent, Clinic, prompt_of
from .database import Database
from .people import ELSEWHERE
from .reach import hindrance, marked_for, named
from .releases import PUBLISHED, said
from .vapi import Server

Say = Callable[[str], None]

OF_ANOTHER_CODE = "TS-312"
OUTDATED_CODE = "TS-305"
PUT_BACK_IN_PEACE_MAX = 200
"""How often a tool may change between two releases' definitions after the trouble. Each look at a clinic may be another
release's; more than this is no rollout but a quarrel."""


class Rest:
    """``release`` is the one that stays; ``mixed``: an older one is still there. ``late``: writes that were late."""

    def __init__(self, database: Database, server: Server, clinic: Clinic, checks: Checks, late: set[str]) -> None:
        self._database, self._server, self._clinic, self._checks, self._late = database, server, clinic, checks, late
        self._folded: dict[UUID, Toolset] = {}
        self._folded_events: Counter[UUID] = Counter()

    def orgs(self) -> list[UUID]:
        """The clinics that are not closed."""
        return [org_id for org_id in self._database.by_org if org_id not in self._clinic.closed]

    def agents(self, org_id: UUID) -> list[Agent]:
        """The agents of a clinic that are there."""
        return [agent for agent in self._clinic.agents if agent.org_id == org_id and not agent.removed]

    def state_of(self, org_id: UUID) -> Toolset:
        """The fold of everything in the org's log; what was folded before is not folded again."""
        state = self._folded.get(org_id, Toolset())
        for stored in self._database.by_org.get(org_id, ())[self._folded_events[org_id] :]:
            state = evolve(state, Recorded(stored.position, stored.recorded_at, stored.event))
            self._folded_events[org_id] += 1
        self._folded[org_id] = state
        return state

    def forget(self) -> None:
        """The log was set back: what was folded may not be in it."""
        self._folded.clear()
        self._folded_events.clear()

    def unfinished(self, release: Blueprint) -> str:
        """What is still under way; nothing where it is at rest.

        An assistant whose callers are kept from our tool is looked at again for ever: that is rest, too.
        """
        if self._clinic.leaving:
            return f"{self._clinic.leaving[0]} is still to be released"
        linked = {tool_id for assistant in self._server.assistants.values() for tool_id in named(assistant["model"])}
        for org_id in self._database.by_org:
            state = self.state_of(org_id)
            looks = [agent_id for agent_id in state.looks if not self._is_kept_from(org_id, agent_id, state, release)]
            surplus = state.surplus.keys() - linked  # one that somebody links stays: deletion must not break a call
            held = tuple(state.tools) if state.closed else ()  # its tools are retired first
            if state.attempts or surplus or state.suspects or held or (looks and not state.closed):
                return f"org {org_id}: {[a.subject for a in state.attempts.values()]} {list(surplus)} {held} {looks}"
        return ""

    def _is_kept_from(self, org_id: UUID, agent_id: str, state: Toolset, release: Blueprint) -> bool:
        word = self._checks.newest_word.get((org_id, agent_id))
        agent = next((a for a in self.agents(org_id) if a.agent_id == agent_id), None)
        if not isinstance(word, e.AssistantSyncFailed):
            return False
        if agent is None:
            # Deleted while it waited for an assistant of which tool-sync has not heard: its removal names that one.
            self._checks.reached["a deleted agent is looked at for ever"] += 1
            return word.code == OF_ANOTHER_CODE
        wanted = wanted_for(state.tier, release.tools, state.disabled)
        had = [(tool, state.tools.get(tool.name)) for tool in wanted]
        current = all(ref is not None and ref.definition_version >= tool.definition_version for tool, ref in had)
        # Otherwise the look is for that, too: a tool to register or to update, a save that Vapi did not have yet.
        return current and word.code != OUTDATED_CODE and any(self._hindrance(agent, tool.name) for tool in wanted)

    def _hindrance(self, agent: Agent, name: str) -> str | None:
        assistant = self._server.assistants[agent.assistant_id]
        urls = {document["server"]["url"] for (known, _), document in PUBLISHED.items() if known == name}
        return hindrance(self._server, assistant, agent.org_id, name, urls)

    def check(self, now: float, release: Blueprint, *, mixed: bool, alone: bool) -> None:
        """Judge everything. ``alone``: there never was another release."""
        violated: Say = lambda what: self._checks.violated(now, f"at rest: {what}")  # noqa: E731
        for request_id, what in self._checks.asked.items():
            if request_id not in self._checks.settled and not self._clinic.is_excused(request_id):
                violated(f"the save of {what} has no outcome")
        for org_id in self._database.by_org:
            if self.state_of(org_id).requests:
                violated(f"org {org_id} still has {self.state_of(org_id).requests}")
            self._check_order(org_id, violated)
        for org_id in self.orgs():
            state = self.state_of(org_id)
            wanted = wanted_for(state.tier, release.tools, state.disabled) if self.agents(org_id) else ()
            for tool in wanted:
                self._check_tool(org_id, state.tools.get(tool.name), tool, violated, mixed=mixed)
            for agent in self.agents(org_id):
                tools = [state.tools[tool.name].vapi_tool_id for tool in wanted if tool.name in state.tools]
                self._check_assistant(agent, tools, violated)
                self._check_newest_word(agent, wanted, violated)
                self._check_row(agent, tuple(state.tools[tool.name] for tool in wanted), violated, alone=alone)
        self._check_tenants(violated)

    def _check_order(self, org_id: UUID, violated: Say) -> None:
        """The saves of an agent get their outcomes in the order in which they arrived."""
        asked: dict[UUID, tuple[str, int]] = {}
        newest: dict[str, int] = {}
        for stored in self._database.by_org[org_id]:
            match stored.event:
                case e.SyncRequested(request_id=request_id, agent_id=agent_id):
                    asked[request_id] = agent_id, stored.position
                case e.AssistantSynced(requests=requests) | e.AssistantSyncFailed(requests=requests):
                    for agent_id, position in (asked[r.request_id] for r in requests if r.request_id in asked):
                        if position < newest.get(agent_id, 0):
                            violated(f"{agent_id} got the outcome of {position} after that of {newest[agent_id]}")
                        newest[agent_id] = position
                case _:
                    pass

    def _check_row(self, agent: Agent, target: tuple[ToolRef, ...], violated: Say, *, alone: bool) -> None:
        """The newest outcome of an assistant that is called synced names the tools that its clinic has.

        Where another release was there, a tool may have got its definition since, in place: nobody is told of that.
        """
        row = self._database.assistants.get(agent.org_id, {}).get(agent.agent_id)
        word = self._checks.newest_word.get((agent.org_id, agent.agent_id))
        if row is None or not isinstance(word, e.AssistantSynced):
            return
        if _ids(row.synced) != _ids(target) or (alone and row.synced != target):
            violated(f"{agent.agent_id} was told {row.synced}, and its clinic has {target}")

    def _check_tool(self, org_id: UUID, known: ToolRef | None, tool: WantedTool, violated: Say, *, mixed: bool) -> None:
        """One live tool, which is what the log says; and the definition is that of the release that stays, or newer."""
        live = [t["id"] for t in self._server.live_tools(org_id, tool.name)]
        if known is None or live != [known.vapi_tool_id]:
            violated(f"org {org_id} has {live} of {tool.name} at Vapi, and the log says {known}")
            return
        late = f"/tool/{known.vapi_tool_id}" in self._late
        if not mixed and known.definition_version < tool.definition_version and not late:
            violated(f"{known.vapi_tool_id} of {org_id} is as an older release made it")
        same_version = known.definition_version == tool.definition_version
        # Of one version neither release is the newer one, and the last to write wins.
        self._checks.reached["left as an older release made it"] += (
            not mixed and same_version and known.definition_hash != tool.definition_hash
        )
        url, description = said(self._server.tools[known.vapi_tool_id])
        if (url, description) not in _as_sent(known) and not late and url != ELSEWHERE:
            violated(f"{known.vapi_tool_id} of {org_id} is not what the log says: {url} {description[-20:]!r}")

    def _check_assistant(self, agent: Agent, tools: list[str], violated: Say) -> None:
        assistant = self._server.assistants[agent.assistant_id]
        links = assistant["model"].get("toolIds", [])
        foreign = self._clinic.foreign[agent.assistant_id]
        for tool_id in (*tools, *(() if foreign.raced else foreign.tools)):
            if links.count(tool_id) != 1:
                violated(f"{agent.agent_id} links {tool_id} {links.count(tool_id)} times")
        gone = {link for link in links if link not in self._server.tools} - self._had(agent.org_id)
        extra = {link for link in links if link.startswith("tool-")} - set(tools) - gone
        if extra:
            violated(f"{agent.agent_id} links {sorted(extra)}, which nobody wants")
        if prompt_of(assistant) != agent.prompt:
            violated(f"{agent.agent_id} says {prompt_of(assistant)!r}, the newest save says {agent.prompt!r}")
        if foreign.raced:
            return  # an edit between the read and the write of another is lost: Vapi knows no versions
        for name, value in foreign.fields.items():
            if assistant["model"].get(name) != value:
                violated(f"{agent.agent_id} lost the field {name}")

    def _had(self, org_id: UUID) -> set[str]:
        """Every tool that the clinic ever had. One of another clinic that does not exist any more says no owner."""
        events = (stored.event for stored in self._database.by_org[org_id])
        return {event.vapi_tool_id for event in events if isinstance(event, e.ToolRegistered)}

    def _check_newest_word(self, agent: Agent, wanted: tuple[WantedTool, ...], violated: Say) -> None:
        """`synced` is the newest word about those assistants whose next caller reaches all tools, and only those."""
        word = self._checks.newest_word.get((agent.org_id, agent.agent_id))
        if word is None:
            return
        hindrances = [why for tool in wanted if (why := self._hindrance(agent, tool.name)) is not None]
        if isinstance(word, e.AssistantSynced) and hindrances:
            violated(f"{agent.agent_id} is called synced, and {hindrances[0]}")
        if isinstance(word, e.AssistantSyncFailed) and not hindrances:
            violated(f"{agent.agent_id} can book, and the newest word is {word.code}")

    def _check_tenants(self, violated: Say) -> None:
        """No tool of ours is on an assistant of another clinic. One on an assistant that nobody has is counted."""
        owners = {agent.assistant_id: agent for agent in self._clinic.agents if not agent.removed}
        for assistant_id, assistant in self._server.assistants.items():
            owner = owners.get(assistant_id)
            strange = [
                f"{tool_id} of {of}"
                for tool_id in named(assistant["model"])
                if (of := self._server.owner_of(tool_id)) is not None and (owner is None or of != owner.org_id)
            ]
            if owner is not None and strange:
                violated(f"{assistant_id} of {owner.org_id} links {strange[0]}")
            self._checks.reached["link left behind"] += owner is None and bool(strange)
            if owner is None and (marked := marked_for(assistant)) is not None:
                violated(f"{assistant_id} is nobody's and still carries the mark of {marked}")


def _as_sent(ref: ToolRef) -> set[tuple[str, str]]:
    """What a tool says that is as the log has it. One that an older release adopted has a hash of its own."""
    if (document := PUBLISHED.get((ref.name, ref.definition_hash))) is not None:
        return {said(document)}
    versions = [document for (name, _), document in PUBLISHED.items() if name == ref.name]
    return {said(document) for document in versions if version_of(document) == ref.definition_version}


def _ids(tools: tuple[ToolRef, ...]) -> list[tuple[str, str]]:
    return [(tool.name, tool.vapi_tool_id) for tool in tools]
