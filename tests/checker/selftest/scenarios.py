"""The smallest stories in which a wrong service shows. A right one survives them all, in one group."""

import asyncio
import os
import signal
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.checker.selftest.group import Group
from tests.checker.selftest.losing_stories import api_restored, log_restored, records_gone, topic_made_again
from tests.checker.selftest.poison import forged_save, poison
from tests.checker.selftest.saving import saved
from tests.checker.selftest.shipping import CLINICS, shipped
from tests.support.eventually import until

from devstack.databases import Service

Rule = dict[str, Any]
FOREIGN_TOOLS: Final = 110
"""More than a page of Vapi's lists."""
CROWD: Final = 25
TOOL: Final = "bookClinicAppointment"
HAS_OUTCOME: Final = """
SELECT count(*) FROM events, jsonb_array_elements(data -> 'requests') AS request
 WHERE type IN ('AssistantSynced', 'AssistantSyncFailed') AND request ->> 'request_id' = $1
"""
PATIENT: Final = {
    "CALL_DEADLINE_SECONDS": "3", "VAPI_DEADLINE_SECONDS": "3", "SETTLE_SECONDS": "5", "LEASE_SECONDS": "8",
}  # fmt: skip
"""Where calls are counted, few may be made again because the machine was busy for a moment: once it was 42 for 34.
Without leases it is more than half as many again."""
SKEW_MS: Final = 25 * 60 * 1000
LOST: Final = {"kind": "hang", "commit": True, "hold_ms": 60_000}


@dataclass(frozen=True, slots=True)
class Scenario:
    """``rules`` of the sandbox for the organization, ``act`` once the services run. ``trap`` of the first tool-sync.

    ``api_trap`` of assistant-api. ``env`` for every process, over the scaled times.
    """

    act: Callable[[Group, str], Awaitable[object]]
    rules: Callable[[str], list[Rule]] = field(default=lambda org: [])
    trap: str = ""
    api_trap: str = ""
    replicas: int = 1
    dials: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    amplification_max: float | None = None


async def plain(group: Group, org: str) -> None:
    """Two organizations with two agents each, saved twice."""
    for each in (org, await group.organization()):
        for agent in ("a", "b"):
            for turn in ("first", "second"):
                await group.save(
                    each, f"{agent}-{each[:8]}", f"{turn} words of {agent} {uuid.uuid4()}", change=turn == "second"
                )


async def saved_and_shipped(group: Group, org: str) -> None:
    """Clinics with their tool, and then another version of it."""
    orgs = [org, *[await group.organization() for _ in range(CLINICS - 1)]]
    await asyncio.gather(*(saved(group, each) for each in orgs))
    await shipped(group, org)


async def many_tools(group: Group, org: str) -> None:
    """Somebody makes a page full of tools after the one whose answer was lost."""
    await saved(group, org)

    async def made() -> bool:
        entries = (await group.control.get("/__sandbox/journal", params={"method": "POST"})).json()["entries"]
        return any(entry["route"] == "POST /tool" and org in str(entry["body"]) for entry in entries)

    assert await until(made, 10), "no tool was asked for"
    body = {"type": "function", "function": {"name": "somebodyElses"}}
    answers = await asyncio.gather(*(group.outsider.post("/tool", json=body) for _ in range(FOREIGN_TOOLS)))
    assert all(answer.is_success for answer in answers), answers[0].text


async def foreign_edits(group: Group, org: str) -> None:
    """Somebody else adds what we do not know and takes our link away; then comes the next save."""
    agent = f"agent-{org[:8]}"
    answer = await group.save(org, agent, f"words before {uuid.uuid4()}")
    await group.linked(answer["assistantId"])
    theirs = await group.foreign_tool()

    def change(current: dict[str, Any]) -> dict[str, Any]:
        model = {
            **current["model"],
            "toolIds": [theirs],
            "tools": [{"type": "endCall", "note": {"of": "somebody else"}}],
            "knowledgeBase": {"deep": [1, 2.5, None, True]},
        }
        return {"model": model, "metadata": {**(current.get("metadata") or {}), "of": "somebody else"}}

    await group.edit(answer["assistantId"], change)
    await group.save(org, agent, f"words after {uuid.uuid4()}", change=True)


async def crowd(group: Group, org: str) -> None:
    """An assistant names many tools of somebody else's before ours is linked again."""
    agent = f"agent-{org[:8]}"
    answer = await group.save(org, agent, f"words before {uuid.uuid4()}")
    await group.linked(answer["assistantId"])
    theirs = [await group.foreign_tool() for _ in range(CROWD)]
    await group.edit(answer["assistantId"], lambda now: {"model": {**now["model"], "toolIds": theirs}})
    await group.save(org, agent, f"words after {uuid.uuid4()}", change=True)


async def in_the_way(group: Group, org: str) -> None:
    """Each assistant has something else between its callers and our tool when it is saved again."""
    twin = {"type": "function", "function": {"name": TOOL}}
    saved_twin = await group.foreign_tool(TOOL)
    changes: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = (
        lambda now: {"model": {**now["model"], "tools": [twin]}},
        lambda now: {"model": {**now["model"], "toolIds": [saved_twin, *now["model"]["toolIds"]]}},
        lambda now: {"serverMessages": ["end-of-call-report"]},
    )
    for number, change in enumerate(changes):
        agent = f"agent-{number}-{org[:8]}"
        answer = await group.save(org, agent, f"words before {uuid.uuid4()}")
        await group.linked(answer["assistantId"])
        await group.edit(answer["assistantId"], change)
        await group.save(org, agent, f"words after {uuid.uuid4()}", change=True)


async def strange_tool(group: Group, org: str) -> None:
    """Somebody links one clinic's tool to another clinic's assistant, which is saved again."""
    first, second = org, await group.organization()
    [tool] = await group.linked((await saved(group, first))["assistantId"])
    other = (await saved(group, second))["assistantId"]
    await group.linked(other)
    await group.edit(other, lambda now: {"model": {**now["model"], "toolIds": [tool, *now["model"]["toolIds"]]}})
    await group.save(second, f"agent-{second[:8]}", f"words after {uuid.uuid4()}", change=True)


async def forged(group: Group, org: str) -> None:
    """A save of one clinic names another clinic's assistant."""
    answer = await saved(group, org)
    await group.linked(answer["assistantId"])
    second = await group.organization()
    await saved(group, second)
    request_id = await forged_save(group, second, answer["assistantId"])

    async def settled() -> Any:
        return await group.database["tool_sync"].fetchval(HAS_OUTCOME, request_id)

    assert await until(settled, 20), "a forged save got no outcome"


async def handed_on(group: Group, org: str) -> None:
    """An assistant that somebody made goes from clinic to clinic; the first write that takes it out of one is lost."""
    first, second = org, await group.organization()
    theirs, words = await group.foreign_assistant(), f"words of the first {uuid.uuid4()}"
    await group.save(first, f"agent-{first[:8]}", words, assistant=theirs)
    await group.synced(first, 1)
    lost = {"kind": "reset", "commit": False}
    await group.dial({"route": "PATCH /assistant/{id}", "match": {"body_contains": words}, "times": 1, "action": lost})
    other = await group.foreign_assistant()
    await group.save(first, f"agent-{first[:8]}", f"words after {uuid.uuid4()}", change=True, assistant=other)
    await group.save(second, f"agent-{second[:8]}", f"words of the second {uuid.uuid4()}", assistant=theirs)
    await group.synced(second, 1)


async def second_assistants(group: Group, org: str) -> None:
    """Two clinics get a second assistant each, once assistant-api has heard of the first."""
    orgs = (org, await group.organization())
    for each in orgs:
        await group.save(each, f"a-{each[:8]}", f"words of the first {uuid.uuid4()}")

    async def heard() -> bool:
        known = await group.database["assistant_api"].fetchval(
            "SELECT count(*) FROM known_tools WHERE org_id = ANY($1) AND cardinality(tool_ids) > 0", ids
        )
        return bool(known == len(orgs))

    ids = [uuid.UUID(each) for each in orgs]
    assert await until(heard, 20), "assistant-api has not heard of its clinics' tools"
    for each in orgs:
        await group.save(each, f"b-{each[:8]}", f"words of the second {uuid.uuid4()}")


async def adopted_and_left(group: Group, org: str) -> None:
    """An agent with an assistant that somebody else made is deleted."""
    await group.save(
        org, f"agent-{org[:8]}", f"words of {org} {uuid.uuid4()}", assistant=await group.foreign_assistant()
    )
    await group.synced(org, 1)
    await group.delete(org, f"agent-{org[:8]}")


async def poisoned(group: Group, org: str) -> None:
    """A save between records that are no messages."""
    await poison(group, org)
    await saved(group, org)


async def killed(group: Group, org: str) -> None:
    """The process falls into its trap and is started again."""
    await _killed(group, org, "tool_sync", "tool-sync-1")


async def api_killed(group: Group, org: str) -> None:
    """The same with assistant-api."""
    await _killed(group, org, "assistant_api", "assistant-api")


async def _killed(group: Group, org: str, service: Service, name: str) -> None:
    await saved(group, org)
    assert await group.sprung(), "the trap did not spring"
    group.ledger.fault(f"kill-{service}", name)
    child = group.children[name]

    async def ended() -> bool:
        return child.returncode is not None

    assert await until(ended, 10), "it did not die"
    await group.start(service, name)


async def paused_before_sending(group: Group, org: str) -> None:
    """The process stops between announcing and sending, while another one does the work, and wakes up."""
    orgs = [org, await group.organization(), await group.organization()]
    await asyncio.gather(*(saved(group, each) for each in orgs))
    assert await group.sprung(), "the trap did not spring"
    group.ledger.fault("stop-tool-sync", "tool-sync-1", pause=True)
    await group.start("tool_sync", "tool-sync-2")

    async def taken_over() -> bool:
        done = await group.database["tool_sync"].fetchval("SELECT count(*) FROM org_tools WHERE org_id = ANY($1)", ids)
        return bool(done == len(orgs))

    ids = [uuid.UUID(each) for each in orgs]
    try:
        assert await until(taken_over, 30), "nobody took over"
    finally:
        os.kill(group.children["tool-sync-1"].pid, signal.SIGCONT)


def on_tool(action: Mapping[str, Any]) -> Callable[[str], list[Rule]]:
    """The first ``POST /tool`` of the organization goes this way."""
    return lambda org: [{"route": "POST /tool", "match": {"organization_id": org}, "times": 1, "action": dict(action)}]


def on_assistant(action: Mapping[str, Any]) -> Callable[[str], list[Rule]]:
    """The first ``POST /assistant`` that names the organization goes this way."""
    return lambda org: [
        {"route": "POST /assistant", "match": {"body_contains": org}, "times": 1, "action": dict(action)}
    ]


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "plain": Scenario(plain),
    "lost_answer": Scenario(saved, on_tool(LOST)),
    "late_tool": Scenario(saved, on_tool({"kind": "late", "delay_ms": 1700})),
    "lost_assistant": Scenario(saved, on_assistant(LOST)),
    "many_tools": Scenario(many_tools, on_tool(LOST)),
    "foreign_edits": Scenario(foreign_edits),
    "poisoned": Scenario(poisoned),
    "crowd": Scenario(crowd),
    "in_the_way": Scenario(in_the_way),
    "strange_tool": Scenario(strange_tool),
    "forged": Scenario(forged),
    "handed_on": Scenario(handed_on),
    "second_assistants": Scenario(second_assistants),
    "shipped": Scenario(saved_and_shipped),
    "adopted_and_left": Scenario(adopted_and_left),
    "log_restored": Scenario(log_restored),
    "api_restored": Scenario(api_restored),
    "records_gone": Scenario(records_gone),
    "topic_made_again": Scenario(topic_made_again),
    "clock_skewed": Scenario(
        saved, lambda org: [*on_assistant(LOST)(org), *on_tool(LOST)(org)], dials={"clock_skew_ms": -SKEW_MS}
    ),
    "killed_before_append": Scenario(killed, trap="kill_before_append"),
    "killed_before_publish": Scenario(killed, trap="kill_before_publish"),
    "killed_before_confirmed": Scenario(api_killed, api_trap="kill_before_confirmed"),
    "killed_after_call": Scenario(killed, trap="kill_after_call"),
    "paused_before_sending": Scenario(paused_before_sending, trap="stop_before_sending"),
    "two_replicas": Scenario(plain, replicas=2, dials={"latency_ms": 700}, env=PATIENT, amplification_max=1.5),
}


async def play(group: Group, scenario: Scenario) -> None:
    """Start the services and let it happen."""
    org = str(uuid.uuid4())
    await group.dial(*scenario.rules(org), **scenario.dials)
    starts: list[tuple[Service, str, str]] = [("assistant_api", "assistant-api", scenario.api_trap)]
    starts += [("tool_sync", f"tool-sync-{n}", scenario.trap) for n in range(1, scenario.replicas + 1)]
    await asyncio.gather(*(group.start(service, name, trap, **scenario.env) for service, name, trap in starts))
    await group.organization(org)
    await scenario.act(group, org)
