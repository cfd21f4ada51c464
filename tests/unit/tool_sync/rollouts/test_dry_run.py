"""What assistant-api, or whoever is at its address, may answer to a dry run, over a real socket."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from pydantic_core import from_json
from tests.support.raw_server import ok, server

from assistant_api.tool_calls.arguments import Fit, check_contract
from tool_sync.domain.fleet import Version
from tool_sync.rollouts.dry_run import DryRuns, NoSuchClinic, NotPassed, Passed, Tried
from tool_sync.rollouts.likely_arguments import likely_arguments
from zerotouch_contracts.tools import ANSWERED, ToolDefinition
from zerotouch_platform.peer import Peer
from zerotouch_platform.vapi.transport import PooledTransport

ORG, TODAY = UUID(int=7), date(2026, 11, 30)
SCHEMA = {
    "type": "object",
    "properties": {"patientName": {"type": "string"}, "urgent": {"type": "boolean"}},
    "required": ["patientName"],
}
GOOD = b'{"success":true,"code":"booked","answer":"Booked.","contract":2,"newer":1}'


def version(schema: Mapping[str, Any] = SCHEMA) -> Version:
    return Version("book", 3, "basic", "hash", 2, {"function": {"name": "book", "parameters": schema}}, 1)


async def tried(*answers: bytes, hold: bool = False, schema: Mapping[str, Any] = SCHEMA) -> tuple[Tried, list[bytes]]:
    transport = PooledTransport(1)
    async with server(*answers, hold=hold) as (url, said):
        asking = DryRuns(Peer("assistant-api", f"{url}/", "a.b-c", transport), deadline_seconds=0.5)
        try:
            return await asking.ask(ORG, version(schema), TODAY), said
        finally:
            await transport.close()


async def test_the_handler_is_run_for_the_clinic_and_contract_with_an_example() -> None:
    found, (request,) = await tried(ok(GOOD))
    assert found == Passed()
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/tools/book/dry-run HTTP/1.1\r\n")
    assert b"\r\nx-access-reason: dry run before a stage of a rollout opens\r\n" in head.lower()
    assert b"\r\nauthorization: bearer a.b-c\r\n" in head.lower()
    arguments = {"patientName": "Anna Example", "urgent": True}
    assert from_json(body) == {"organizationId": str(ORG), "contract": 2, "arguments": arguments}


@pytest.mark.parametrize("code", ["taken", "closed", "no_appointment", "unknown_service"])
async def test_a_refusal_is_work_of_the_handler(code: str) -> None:
    body = b'{"success":false,"code":"%s","answer":"No.","contract":2}' % code.encode()
    assert (await tried(ok(body)))[0] == Passed()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (ok(GOOD.replace(b'"booked"', b'"invalid_arguments"')), "the handler answers invalid_arguments"),
        (ok(GOOD.replace(b'"booked"', b'"magic"')), "the handler answers magic"),
        (ok(GOOD.replace(b":2", b":1")), "another contract was run: 1"),
        (ok(b'{"success":true}'), "what answers is no assistant-api"),
        (ok(GOOD.replace(b'"booked"', b'"<b>x</b>"')), "what answers is no assistant-api"),
        (ok(GOOD.replace(b":2", b':"2"')), "what answers is no assistant-api"),
        (ok(b"<html>welcome</html>"), "what answers is no assistant-api"),
        (ok(b"[]"), "what answers is no assistant-api"),
        (ok(b""), "what answers is no assistant-api"),
        (ok(b" " * 70_000 + GOOD), "what answers is no assistant-api"),
        (ok(GOOD, "Content-Encoding: gzip"), "what answers is no assistant-api"),
        (ok(b"", status="500 Internal Server Error"), "the handler of contract 2 failed"),
        (ok(b"", status="503 Service Unavailable"), "assistant-api answers 503"),
        (ok(b"", status="401 Unauthorized"), "assistant-api refuses ASSISTANT_API_TOKEN: 401"),
        (ok(b"", status="403 Forbidden"), "assistant-api refuses ASSISTANT_API_TOKEN: 403"),
        (ok(b"", "Location: http://127.0.0.1:1/", status="307 Temporary Redirect"), "assistant-api answers 307"),
        (ok(GOOD, status="201 Created"), "assistant-api answers 201"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "assistant-api cannot be reached: "),
        (ok(GOOD)[:-5], "assistant-api cannot be reached: "),
    ],
)
async def test_what_is_not_plainly_a_pass_is_none(answer: bytes, why: str) -> None:
    found, _ = await tried(answer)
    assert isinstance(found, NotPassed)
    assert found.why.startswith(why)


async def test_an_older_release_has_no_such_address() -> None:
    assert (await tried(ok(b'{"detail":"Not Found"}', status="404 Not Found")))[0] == NoSuchClinic()


async def test_who_hangs_is_not_waited_for() -> None:
    found, _ = await tried(ok(b"", "X: y")[:-2], hold=True)
    assert found == NotPassed("assistant-api did not answer within 0.5 s")


async def test_nobody_at_the_address() -> None:
    transport = PooledTransport(1)
    found = await DryRuns(Peer("assistant-api", "http://127.0.0.1:1", "t", transport)).ask(ORG, version(), TODAY)
    await transport.close()
    assert isinstance(found, NotPassed)
    assert found.why.startswith("assistant-api cannot be reached: ")


@pytest.mark.parametrize("schema", [{}, {"type": "object", "properties": {"x": {"type": "string", "pattern": "^§$"}}}])
async def test_a_schema_without_an_example_is_told_and_nothing_is_sent(schema: Mapping[str, Any]) -> None:
    found, said = await tried(schema=schema)
    assert (found, said) == (NotPassed("no example matches the parameters of the version"), [])


@pytest.mark.parametrize("definition", ANSWERED, ids=lambda one: f"{one.name}-{one.contract}")
def test_likely_arguments_get_as_far_as_the_handler(definition: ToolDefinition) -> None:
    arguments = likely_arguments(definition.parameters_schema(), TODAY)
    fit = check_contract(ORG, definition.name, definition.contract, arguments)
    assert isinstance(fit, Fit)
    assert arguments["patientPhone"] == "+49 30 1234567"
    assert {arguments[name] for name in arguments if name.endswith("Date")} == {"2026-12-07"}


def test_a_likely_value_that_the_schema_refuses_gives_way_to_one_that_it_allows() -> None:
    properties = {"patientName": {"type": "string", "pattern": "^[0-9]+$"}, "day": {"type": "string", "format": "date"}}
    schema = {"type": "object", "properties": properties, "required": ["patientName", "day"]}
    assert likely_arguments(schema, TODAY) == {"patientName": "0301234567", "day": "2026-12-03"}
