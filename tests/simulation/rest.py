"""What must hold at rest, when nothing is under way any more."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from uuid import UUID

from tool_sync.domain import events as e
from tool_sync.domain.events import ToolRef
from tool_sync.domain.evolve import evolve
from tool_sync.domain.toolset import Recorded, Toolset
from zerotouch_contracts.tools import version_of

from .book import Book, Due, Facts, Reader, due, taken
from .checks import Checks
from .clinic import Agent, Clinic, prompt_of
from .database import Database, seconds_of, time_of
from .people import ELSEWHERE, REWORDED
from .reach import hindrance, marked_for, named
from .releases import PUBLISHED, UNANSWERED_CONTRACT, Said, said
from .vapi import Server
from .wording import Wording

Say = Callable[[str], None]

OF_ANOTHER_CODE = "TS-312"
IN_THE_WAY_CODES = ("TS-307", "TS-308", "TS-309")
OUTDATED_CODE = "TS-305"
PIN_ENDS_SECONDS = 120.0
"""So late a pin is ended where nothing fails: whoever has claimed the clinic, or sleeps, is done by then."""


class Rest:
    """``reader`` says what is ordered, ``wording`` what clinics have worded. ``late``: writes that were sent late."""

    def __init__(
        self,
        database: Database,
        server: Server,
        clinic: Clinic,
        checks: Checks,
        late: set[str],
        reader: Reader,
        wording: Wording,
    ) -> None:
        self._database, self._server, self._clinic, self._checks, self._late = database, server, clinic, checks, late
        self._reader, self._wording = reader, wording
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

    def ordered(self, org_id: UUID) -> dict[str, Due]:
        """What the clinic is to have of each tool."""
        book, facts = self._book(), self._facts(org_id)
        now = time_of(asyncio.get_running_loop().time())
        return {name: due(facts, book, name, now) for name in book.tools}

    def _wanted(self, org_id: UUID) -> dict[str, Due]:
        """The tools that the clinic is to have, whoever uses them."""
        return {name: made for name, made in self.ordered(org_id).items() if made.definition_hash is not None}

    def _book(self) -> Book:
        return self._reader.book(self._database.fleet)

    def _facts(self, org_id: UUID) -> Facts:
        return self._reader.facts(org_id, self._database.by_org.get(org_id, ()))

    def forget(self) -> None:
        """The log was set back: what was folded may not be in it."""
        self._reader.forget()
        self._folded.clear()
        self._folded_events.clear()

    def unfinished(self) -> str:
        """What is still under way; nothing where it is at rest.

        An assistant whose callers are kept from our tool is looked at again for ever: that is rest, too.
        """
        if self._clinic.leaving:
            return f"{self._clinic.leaving[0]} is still to be released"
        linked = {tool_id for assistant in self._server.assistants.values() for tool_id in named(assistant["model"])}
        for org_id in self._database.by_org:
            state = self.state_of(org_id)
            looks = [agent_id for agent_id in state.looks if not self._is_kept_from(org_id, agent_id, state)]
            surplus = state.surplus.keys() - linked  # one that somebody links stays: deletion must not break a call
            held = tuple(state.tools) if state.closed else ()  # its tools are retired first
            if unknown := self._lost(org_id):
                return f"org {org_id} has {unknown} at Vapi, which a restore has lost"
            if state.attempts or surplus or state.suspects or held or (looks and not state.closed):
                return f"org {org_id}: {[a.subject for a in state.attempts.values()]} {list(surplus)} {held} {looks}"
            if not state.closed and self.agents(org_id) and (differs := self.differs(org_id)):
                return differs
        return ""

    def _lost(self, org_id: UUID) -> list[str]:
        """Tools of the clinic at Vapi that a restore has lost, and that its log knows nothing of."""
        known = self.state_of(org_id).tool_ids | self._kept_unknown(org_id)
        lost = [one.vapi_tool_id for one in self._database.lost_tools if one.org_id == org_id]
        return [one for one in lost if one in self._server.tools and one not in known]

    def differs(self, org_id: UUID) -> str:
        """How a clinic's tools are not as ordered; nothing where they are."""
        facts = self._facts(org_id)
        for name, made in self.ordered(org_id).items():
            if facts.has.get(name, (None, None)) != (made.version, made.definition_hash):
                return f"org {org_id} has {facts.has.get(name)} of {name}, and is to have {made}"
            if name in facts.has and facts.says.get(name, frozenset()) != made.words:
                return f"org {org_id} says {facts.says.get(name)} with {name}, and is to say {made}"
        return ""

    def violated(self, what: str) -> None:
        """Somebody who looked at it before the end has found this."""
        self._checks.violated(asyncio.get_running_loop().time(), what)

    def _is_kept_from(self, org_id: UUID, agent_id: str, state: Toolset) -> bool:
        word = self._checks.newest_word.get((org_id, agent_id))
        agent = next((a for a in self.agents(org_id) if a.agent_id == agent_id), None)
        if not isinstance(word, e.AssistantSyncFailed):
            return False
        if agent is None:
            # Deleted while it waited for an assistant of which tool-sync has not heard: its removal names that one.
            self._checks.reached["a deleted agent is looked at for ever"] += 1
            return word.code in (OF_ANOTHER_CODE, *IN_THE_WAY_CODES)
        # Otherwise the look is for that, too: a tool to register or to update, a save that Vapi did not have yet.
        current = not self.differs(org_id) and word.code != OUTDATED_CODE
        return current and any(self._hindrance(agent, name) for name in self._wanted(org_id))

    def _hindrance(self, agent: Agent, name: str) -> str | None:
        assistant = self._server.assistants[agent.assistant_id]
        urls = {document["server"]["url"] for (known, _), document in PUBLISHED.items() if known == name}
        return hindrance(self._server, assistant, agent.org_id, name, urls)

    def check(self, now: float, *, alone: bool) -> None:
        """Judge everything. ``alone``: nothing was ordered but what the log began with."""
        violated: Say = lambda what: self._checks.violated(now, f"at rest: {what}")  # noqa: E731
        for request_id, what in self._checks.asked.items():
            if request_id not in self._checks.settled and not self._clinic.is_excused(request_id):
                violated(f"the save of {what} has no outcome")
        for org_id in self._database.by_org:
            if self.state_of(org_id).requests:
                violated(f"org {org_id} still has {self.state_of(org_id).requests}")
            self._check_order(org_id, violated)
        for org_id in self.orgs():
            for name, pin in self.state_of(org_id).pins.items():
                if seconds_of(pin.until) + PIN_ENDS_SECONDS < now:
                    violated(f"org {org_id} is still pinned to {name} {pin.version}, until {pin.until}")
            if self.agents(org_id):
                self._check_clinic(org_id, violated, alone=alone)
        self._check_tenants(violated)

    def _check_clinic(self, org_id: UUID, violated: Say, *, alone: bool) -> None:
        """Its tools are as ordered, and its assistants have them."""
        state, wanted = self.state_of(org_id), self._wanted(org_id)
        if differs := self.differs(org_id):
            violated(differs)
        self._check_rolled_back(org_id, violated)
        for name in wanted:
            self._check_tool(org_id, state.tools.get(name), name, violated)
            self._check_words(org_id, name, violated)
        target = tuple(state.tools[name] for name in wanted if name in state.tools)
        for agent in self.agents(org_id):
            self._check_assistant(agent, [ref.vapi_tool_id for ref in target], violated)
            self._check_newest_word(agent, wanted, violated)
            self._check_row(agent, target, violated, alone=alone)

    def _check_rolled_back(self, org_id: UUID, violated: Say) -> None:
        """Without the orders that were taken away it would have just the same."""
        book, facts = self._book(), self._facts(org_id)
        gone = {order.rollout_id for order in book.orders if order.state == "rolled back"}
        if not gone or facts.window is not None:
            return
        followed = {tool: tuple(one for one in mine if one not in gone) for tool, mine in facts.followed.items()}
        for name in book.tools:
            had = due(replace(facts, followed=followed), book.without(gone), name)
            has = facts.has.get(name, (None, None))
            if has != (had.version, had.definition_hash):
                violated(f"org {org_id} has {has} of {name}; without {sorted(gone)} it would have {had}")
        self._checks.reached["rolled back at rest"] += 1

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

        Where another version was ordered, a tool may have got it since, in place: nobody is told of that.
        """
        row = self._database.assistants.get(agent.org_id, {}).get(agent.agent_id)
        word = self._checks.newest_word.get((agent.org_id, agent.agent_id))
        if row is None or not isinstance(word, e.AssistantSynced):
            return
        if _ids(row.synced) != _ids(target) or (alone and row.synced != target):
            violated(f"{agent.agent_id} was told {row.synced}, and its clinic has {target}")

    def _check_tool(self, org_id: UUID, known: ToolRef | None, name: str, violated: Say) -> None:
        """One live tool, which is what the log says; that this is as ordered is judged elsewhere."""
        live = [t["id"] for t in self._server.live_tools(org_id, name)]
        if known is None or live != [known.vapi_tool_id]:
            violated(f"org {org_id} has {live} of {name} at Vapi, and the log says {known}")
            return
        late = f"/tool/{known.vapi_tool_id}" in self._late
        there, as_sent = said(self._server.tools[known.vapi_tool_id]), self._as_sent(org_id, known)
        if there.description == REWORDED and name in self._book().reported:
            self._checks.reached["words left"] += 1
            there = replace(there, description=next(iter(as_sent)).description)
        if there not in as_sent and not late and (there.url != ELSEWHERE or self._book().reported):
            violated(f"{known.vapi_tool_id} of {org_id} is not what the log says: {there}")

    def _as_sent(self, org_id: UUID, ref: ToolRef) -> set[Said]:
        """What a tool says that is as the log has it. One that an older release adopted has a hash of its own."""
        if (document := PUBLISHED.get((ref.name, ref.definition_hash))) is not None:
            words = self._wording.texts_of(org_id, self._facts(org_id).says.get(ref.name, ()))
            return {said(document).with_words(words)}
        versions = [document for (name, _), document in PUBLISHED.items() if name == ref.name]
        return {said(document) for document in versions if version_of(document) == ref.definition_version}

    def _check_words(self, org_id: UUID, name: str, violated: Say) -> None:
        """The words of the newest setting are with its tool, as far as they are stored; nobody else's are."""
        facts = self._facts(org_id)
        stored = self._database.texts.get(org_id, {})
        version = self._book().definitions.get((name, facts.has.get(name, (0, ""))[1]))
        if version is None:
            return
        words = frozenset(part for part in self._wording.newest(org_id, name) if part.hash in stored)
        if facts.says.get(name, frozenset()) != taken(version, words):
            violated(f"org {org_id} says {facts.says.get(name)} with {name}, and has set {words}")
        self._checks.reached["own words at rest"] += bool(words)

    def _check_assistant(self, agent: Agent, tools: list[str], violated: Say) -> None:
        assistant = self._server.assistants[agent.assistant_id]
        links = assistant["model"].get("toolIds", [])
        foreign = self._clinic.foreign[agent.assistant_id]
        for tool_id in (*tools, *(() if foreign.raced else foreign.tools)):
            if links.count(tool_id) != 1:
                violated(f"{agent.agent_id} links {tool_id} {links.count(tool_id)} times")
        gone = {link for link in links if link not in self._server.tools} - self._had(agent.org_id)
        extra = (
            {link for link in links if link.startswith("tool-")} - set(tools) - gone - self._kept_unknown(agent.org_id)
        )
        if extra:
            violated(f"{agent.agent_id} links {sorted(extra)}, which nobody wants")
        if prompt_of(assistant) != agent.prompt and not self._is_written_late_by_another(agent):
            violated(f"{agent.agent_id} says {prompt_of(assistant)!r}, the newest save says {agent.prompt!r}")
        if foreign.raced:
            return  # an edit between the read and the write of another is lost: Vapi knows no versions
        for name, value in foreign.fields.items():
            if assistant["model"].get(name) != value:
                violated(f"{agent.agent_id} lost the field {name}")

    def _kept_unknown(self, org_id: UUID) -> set[str]:
        """What a restore has lost of tools that were ordered in a version that nobody answers: a clinic keeps them as
        they are, and only the next change to all of it looks for what is lost."""
        book = self._book()
        unanswered = {name for (name, _), version in book.versions.items() if version.contract == UNANSWERED_CONTRACT}
        return {
            one.vapi_tool_id for one in self._database.lost_tools if one.org_id == org_id and one.name in unanswered
        }

    def _is_written_late_by_another(self, agent: Agent) -> bool:
        """Whoever had the assistant before slept with a write in its hands: this agent knows nothing of that model, so
        that it counts as somebody's edit."""
        if f"/assistant/{agent.assistant_id}" not in self._late:
            return False
        return any(
            isinstance(stored.event, e.AssistantLinkStarted)
            and stored.event.assistant_id == agent.assistant_id
            and (stored.org_id, stored.event.agent_id) != (agent.org_id, agent.agent_id)
            for stored in self._database.events
        )

    def _had(self, org_id: UUID) -> set[str]:
        """Every tool that the clinic ever had. One of another clinic that does not exist any more says no owner."""
        events = (stored.event for stored in self._database.by_org[org_id])
        return {event.vapi_tool_id for event in events if isinstance(event, e.ToolRegistered)}

    def _check_newest_word(self, agent: Agent, wanted: Iterable[str], violated: Say) -> None:
        """`synced` is the newest word about those assistants whose next caller reaches all tools, and only those."""
        word = self._checks.newest_word.get((agent.org_id, agent.agent_id))
        if word is None:
            return
        hindrances = [why for name in wanted if (why := self._hindrance(agent, name)) is not None]
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
        for tool_id, tool in self._server.tools.items():
            if (of := self._server.owner_of(tool_id)) is not None and (text := self._wording.strange(of, tool)):
                violated(f"{tool_id} of {of} says {text!r}, which is another clinic's")


def _ids(tools: tuple[ToolRef, ...]) -> list[tuple[str, str]]:
    return [(tool.name, tool.vapi_tool_id) for tool in tools]
