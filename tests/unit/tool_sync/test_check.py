"""What `check` says of an assistant: from the log's rows, from Vapi's documents, and as text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.support.unlimited import Unlimited

from tool_sync.admin.checked import (
    CHANGED,
    NEVER_SYNCED,
    NOT_NAMED,
    NOT_THERE,
    OLDER_ID,
    CheckedClinic,
    KnownAssistant,
    Trouble,
    known_trouble,
)
from tool_sync.admin.live import Look, LookStopped, Met
from tool_sync.cli.check import Checked, _tell
from tool_sync.domain.events import ToolDriftSeen, ToolRef
from tool_sync.domain.fleet import Fleet, Version
from tool_sync.domain.subject import tool_subject
from tool_sync.domain.toolset import Failure, Retired, Toolset
from tool_sync.domain.wanted import WantedTool
from tool_sync.vapi.failures import VapiFailure
from tool_sync.vapi.rate_limit import CallLane
from zerotouch_contracts.errors import CATALOGUE, ErrorCode
from zerotouch_contracts.tools import BOOK_CLINIC_APPOINTMENT
from zerotouch_platform.vapi.answers import Meaning

ORG = UUID(int=1)
OTHER = UUID(int=2)
INSTALLATION = UUID(int=3)
BOOK = BOOK_CLINIC_APPOINTMENT.name
REF = ToolRef(BOOK, "tool-1", 1, "a" * 64)
WANTED = (WantedTool(BOOK, 1, "a" * 64),)
HAS = Toolset(tools={BOOK: REF})
AT = datetime(2026, 11, 28, tzinfo=UTC)


def payload_of(org_id: UUID) -> dict[str, Any]:
    return BOOK_CLINIC_APPOINTMENT.vapi_payload(
        org_id, server_url="https://hooks.example.test", installation_id=INSTALLATION
    )


def own_tool(org_id: UUID = ORG, **changes: Any) -> dict[str, Any]:
    return {"id": "tool-1", **payload_of(org_id), **changes}


FLEET = Fleet(
    hashes={(BOOK, REF.definition_hash): Version(BOOK, 1, "basic", REF.definition_hash, 1, payload_of(UUID(int=0)), 1)}
)


def drifted(*, gone: bool) -> Toolset:
    return Toolset(tools={BOOK: REF}, drifted={BOOK: ToolDriftSeen("platform", BOOK, "tool-1", gone)})


class Vapi:
    """Answers from two dictionaries, and counts."""

    def __init__(self, assistants: Mapping[str, dict[str, Any]], tools: Mapping[str, dict[str, Any]]) -> None:
        self.assistants, self.tools = assistants, tools
        self.allocation: Mapping[str, Any] | VapiFailure | None = None
        self.asked: list[str] = []

    async def get_assistant(self, assistant_id: str) -> dict[str, Any]:
        return self._of(self.assistants, assistant_id, ErrorCode.ASSISTANT_MISSING)

    async def get_tool(self, tool_id: str) -> dict[str, Any]:
        return self._of(self.tools, tool_id, ErrorCode.TOOL_REFUSED)

    async def traffic_allocation(self, assistant_id: str) -> Mapping[str, Any] | None:
        self.asked.append(f"split {assistant_id}")
        if isinstance(self.allocation, VapiFailure):
            raise self.allocation
        return self.allocation

    def _of(self, found: Mapping[str, dict[str, Any]], one: str, code: ErrorCode) -> dict[str, Any]:
        self.asked.append(one)
        if one not in found:
            raise VapiFailure("refused", code, 404, meaning=Meaning.GONE)
        return found[one]


def known(agent_id: str = "agent-1", linked_version: str | None = None) -> KnownAssistant:
    return KnownAssistant(agent_id, f"assistant-of-{agent_id}", None, linked_version, ())


def clinic(state: Toolset = HAS, *assistants: KnownAssistant) -> CheckedClinic:
    target = tuple(state.tools.values())
    return CheckedClinic(ORG, 9, state, FLEET, WANTED, None, target, assistants or (known(),), more=False)


def assistant(*tool_ids: str, **changes: Any) -> dict[str, Any]:
    return {"id": "x", "model": {"provider": "openai", "toolIds": list(tool_ids)}, **changes}


def look(vapi: Vapi, calls_max: int = 100) -> Look:
    return Look(vapi, Unlimited(), INSTALLATION, calls_max)


async def met(document: dict[str, Any], tools: Mapping[str, dict[str, Any]], state: Toolset = HAS) -> Met:
    vapi = Vapi({"assistant-of-agent-1": document}, tools)
    return await look(vapi).assistant(clinic(state), known())


@pytest.mark.parametrize(
    ("outcome", "code", "synced", "state", "expected"),
    [
        ("synced", None, [REF], HAS, ()),
        (None, None, [], HAS, (Trouble(None, (BOOK,), what=NEVER_SYNCED),)),
        ("failed", "TS-307", [REF], HAS, (Trouble("TS-307", (BOOK,)),)),
        ("synced", "TS-501", [], HAS, (Trouble(None, (BOOK,), what=NOT_NAMED),)),
        (
            "synced", None, [ToolRef(BOOK, "older", 1, "a" * 64)], HAS,
            (Trouble(None, (BOOK,), ("older",), OLDER_ID),),
        ),
        ("synced", None, [], Toolset(), (Trouble(None, (BOOK,), what=NOT_THERE),)),
        ("synced", None, [REF], Toolset(tools={BOOK: ToolRef(BOOK, "tool-1", 99, "f" * 64)}), ()),
        ("synced", None, [REF], drifted(gone=True), (Trouble("TS-308", (BOOK,), ("tool-1",)),)),
        ("synced", None, [REF], drifted(gone=False), (Trouble(None, (BOOK,), ("tool-1",), CHANGED),)),
        (
            "synced", None, [], Toolset(failures={tool_subject(BOOK): Failure(1, "TS-301", None, None)}),
            (Trouble("TS-301", (BOOK,)),),
        ),
    ],
)  # fmt: skip
def test_each_reason_that_the_log_knows(
    outcome: str | None, code: str | None, synced: list[ToolRef], state: Toolset, expected: tuple[Trouble, ...]
) -> None:
    assert known_trouble(outcome, code, synced, WANTED, state) == expected
    assert known_trouble(outcome, code, synced, (), state) == (), "who wants nothing lacks nothing"


async def test_a_linked_tool_as_it_was_registered_is_reached() -> None:
    found = await met(assistant("tool-1"), {"tool-1": own_tool()})
    assert (found.can_book, [one.vapi_tool_id for one in found.reaches]) == (True, ["tool-1"])


@pytest.mark.parametrize(
    ("document", "tools", "code", "what"),
    [
        (assistant("tool-1"), {}, "TS-308", None),
        (assistant("tool-1", "gone"), {"tool-1": own_tool()}, "TS-308", None),
        (assistant("tool-1", "../assistant"), {"tool-1": own_tool()}, "TS-308", None),
        (assistant("tool-1", serverMessages=["transcript"]), {"tool-1": own_tool()}, "TS-309", None),
        (assistant("tool-1", "b"), {"tool-1": own_tool(), "b": own_tool(OTHER)}, "TS-313", None),
        (assistant("tool-1"), {"tool-1": own_tool(OTHER)}, "TS-313", None),
        (assistant("tool-1", model=None), {"tool-1": own_tool()}, "TS-304", None),
        (
            assistant("tool-1", metadata={"zerotouch_installation": str(INSTALLATION), "organization_id": str(OTHER)}),
            {"tool-1": own_tool()}, "TS-312", None,
        ),
        (assistant(), {"tool-1": own_tool()}, None, NOT_NAMED),
        (assistant("tool-1"), {"tool-1": own_tool(server={"url": "https://x.test"})}, None, "at Vapi: server;"),
        (assistant("tool-1"), {"tool-1": own_tool(parameters=None)}, None, "at Vapi: parameters;"),
        (assistant("tool-1"), {"tool-1": own_tool(function=7)}, None, "at Vapi: function;"),
    ],
)  # fmt: skip
async def test_what_stands_in_the_way_at_vapi(
    document: dict[str, Any], tools: Mapping[str, dict[str, Any]], code: str | None, what: str | None
) -> None:
    found = await met(document, tools)
    assert not found.can_book
    assert found.reaches == ()
    (trouble,) = found.trouble
    assert (trouble.code, trouble.tools) == (code, (BOOK,))
    assert what is None or what in (trouble.what or "")


async def test_a_retired_tool_of_ours_that_is_gone_and_still_named_fails_the_call() -> None:
    retired = Retired(ToolRef("cancelAppointment", "old", 1, "b" * 64), "setting", AT)
    state = Toolset(tools={BOOK: REF}, retired={"cancelAppointment": retired})
    found = await met(assistant("tool-1", "old"), {"tool-1": own_tool()}, state)
    assert [(one.code, one.vapi_tool_ids) for one in found.trouble] == [("TS-308", ("old",))]


async def test_a_split_to_a_version_before_our_link_stands_in_the_way() -> None:
    vapi = Vapi({"assistant-of-agent-1": assistant("tool-1", latestVersion="v3")}, {"tool-1": own_tool()})
    vapi.allocation = {
        "allocationIntent": "explicit",
        "targets": [{"assistantVersion": "v1", "percentage": 10}, {"assistantVersion": "v3", "percentage": 90}],
    }
    found = await look(vapi).assistant(clinic(), known(linked_version="v2"))
    assert [one.code for one in found.trouble] == ["TS-311"]


async def test_an_account_without_access_to_splits_is_asked_once_and_that_is_told() -> None:
    vapi = Vapi({f"assistant-of-agent-{n}": assistant("tool-1") for n in (1, 2)}, {"tool-1": own_tool()})
    vapi.allocation = VapiFailure("refused", ErrorCode.ASSISTANT_REFUSED, 403, meaning=Meaning.NO_ACCESS)
    looking = look(vapi)
    found = [await looking.assistant(clinic(), known(f"agent-{n}")) for n in (1, 2)]
    assert [one.can_book for one in found] == [True, True]
    assert all("traffic splits" in one.not_looked_at[0] for one in found)
    assert vapi.asked == ["assistant-of-agent-1", "split assistant-of-agent-1", "tool-1", "assistant-of-agent-2"]


async def test_a_split_that_cannot_be_read_is_named_and_the_assistant_is_read_all_the_same() -> None:
    vapi = Vapi({"assistant-of-agent-1": assistant("tool-1")}, {"tool-1": own_tool()})
    vapi.allocation = VapiFailure("refused", ErrorCode.ASSISTANT_MISSING, 404)
    found = await look(vapi).assistant(clinic(), known())
    assert (found.can_book, found.not_looked_at) == (True, ("traffic splits: Vapi answered 404 (TS-303)",))


async def test_a_refused_key_and_the_end_of_the_calls_stop_the_look() -> None:
    class Refusing(Vapi):
        async def get_assistant(self, assistant_id: str) -> dict[str, Any]:
            raise VapiFailure("refused", ErrorCode.VAPI_KEY_REFUSED, 401)

    with pytest.raises(LookStopped) as refused:
        await look(Refusing({}, {})).assistant(clinic(), known())
    assert refused.value.is_key
    vapi = Vapi({"assistant-of-agent-1": assistant("tool-1")}, {"tool-1": own_tool()})
    with pytest.raises(LookStopped, match="2 calls"):
        await look(vapi, calls_max=2).assistant(clinic(), known())


async def test_vapi_that_is_away_is_no_all_clear() -> None:
    class Away(Vapi):
        async def get_assistant(self, assistant_id: str) -> dict[str, Any]:
            raise VapiFailure("not_sent", ErrorCode.VAPI_UNREACHABLE)

    found = await look(Away({}, {})).assistant(clinic(), known())
    assert (found.can_book, found.not_read) == (False, "Vapi did not show it: TS-101")


@pytest.mark.parametrize("code", [code.value for code in CATALOGUE if re.match("TS-3", code.value)])
def test_every_obstacle_is_told_within_80_columns_with_who_acts(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    trouble = Trouble(code, (BOOK, "cancelAppointment"), ("4f0c2b1e-3a64-4b3e-9a55-5d4f0a6c9a10",) * 3)
    told = KnownAssistant("agent-1", "assistant-1", None, None, (trouble,))
    status = _tell([Checked(clinic(HAS, told), ())], None, None, as_json=False)
    text = capsys.readouterr().out
    assert status == 1
    assert all(len(line) <= 80 for line in text.splitlines())
    assert f"{CATALOGUE[ErrorCode(code)].who_acts}: " in text
    assert "0 of 1 assistants that should can book as far as the log knows" in text


@dataclass(frozen=True)
class Minutes(Unlimited):
    """A key whose rate is used up for a moment, or for an hour."""

    waits: list[timedelta] = field(default_factory=list)

    async def admit(self, now: datetime, lane: CallLane) -> datetime | None:
        return now + self.waits.pop() if self.waits else None


@pytest.mark.parametrize(("patience_seconds", "wait_seconds", "reads"), [(0, 0.01, 0), (1, 0.01, 1), (1, 3600, 0)])
async def test_a_look_waits_for_the_keys_rate_as_long_as_it_may(
    patience_seconds: float, wait_seconds: float, reads: int
) -> None:
    key = Minutes(waits=[timedelta(seconds=wait_seconds)] * 2)
    vapi = Vapi({}, {"tool-1": {}})
    patient = Look(vapi, key, INSTALLATION, 100, patience_seconds)
    if reads:
        assert await patient._tool("4f0c2b1e-3a64-4b3e-9a55-5d4f0a6c9a10") is None
    else:
        with pytest.raises(LookStopped, match="the key allows no call before"):
            await patient._tool("4f0c2b1e-3a64-4b3e-9a55-5d4f0a6c9a10")
    assert (patient.calls, len(key.waits)) == (reads, 0 if reads else 1)
