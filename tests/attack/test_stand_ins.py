"""The attacks against services that are broken: each must be named. Yes to everything, or no, holds nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.attack import framing, inputs, limits, sockets, tokens, webhook
from tests.attack.target import SERVICES, Clinic, NotLoopback, Stack, Target, loopback
from tests.attack.verdict import COLUMNS, Tried, last_line, table

from devstack.tokens import new_signer

BODY = b'{"items": [{"at": 1}]}'


@asynccontextmanager
async def answering(status: int, *, closes: bool, patient: bool = True) -> AsyncIterator[Target]:
    """A server that answers whatever ends in an empty line, or whatever comes where it is not ``patient``."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        text = b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (status, len(BODY))
        try:
            while True:
                await (reader.readuntil(b"\n") if not patient else reader.readuntil(b"\r\n\r\n"))
                writer.write(text + BODY)
                await writer.drain()
                if closes:
                    break
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    stack = Stack(dict.fromkeys(SERVICES, url), new_signer(), "right", {"LOG_FILE": "/nowhere"})
    async with httpx.AsyncClient(base_url=url, timeout=5) as http:
        clinics = [Clinic(uuid4(), "reception") for _ in range(2)]
        yield Target(stack, dict.fromkeys(SERVICES, http), clinics[0], clinics[1], log_from=0)
    server.close()


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_that_answers_everything_alike_does_not_hold(status: int, service: str) -> None:
    async with answering(status, closes=True) as target:
        for row in (
            await inputs.tried(target, service),
            await tokens.foreign(target),
            await webhook.tried(target),
        ):
            assert not row.held, row.what
            assert len(row.failures) >= min(row.tried, 5), row.what


async def test_a_service_that_refuses_everybody_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "SPACING_SECONDS", 0.0)
    async with answering(401, closes=True) as target:
        assert "a good token is refused, too" in (await tokens.tried(target, "tool-sync")).failures
        assert not (await webhook.tried(target)).held
        assert not (await framing.tried(target, "tool-sync")).held


async def test_a_service_that_reads_on_behind_what_is_ambiguous_does_not_hold() -> None:
    async with answering(400, closes=False, patient=False) as target:
        failures = (await framing.tried(target, "assistant-api")).failures
        assert len(failures) > 40
        assert any("goes on" in failure for failure in failures)


async def test_a_service_without_limits_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SECONDS", 0.5)
    monkeypatch.setattr(limits, "SECONDS_MAX", 0.5)
    async with answering(200, closes=False) as target:
        failures = (await limits.tried(target, "tool-sync", quick=True)).failures
        assert any("nothing was refused" in failure for failure in failures)


async def test_a_service_that_waits_for_ever_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "HEAD_SECONDS_MAX", 1.0)
    monkeypatch.setattr(sockets, "SILENT", 20)
    async with answering(200, closes=False) as target:
        failures = (await sockets.tried(target, "tool-sync", quick=True)).failures
        assert any("silent connections are kept" in failure for failure in failures)
        assert any("a header of 60 MB" in failure for failure in failures)


@pytest.mark.parametrize(
    "url", ["http://localhost:3001", "http://10.0.0.1:3001", "https://api.vapi.ai", "http://[::2]/"]
)
def test_nothing_is_sent_to_another_machine(url: str) -> None:
    with pytest.raises(NotLoopback):
        loopback(url)
    with pytest.raises(NotLoopback):
        Stack({"tool-sync": url}, new_signer(), "", {})


def test_the_table_is_as_wide_as_a_terminal_and_its_last_line_is_json() -> None:
    rows: list[Any] = [
        Tried("inputs", f"hostile inputs, {SERVICES[0]}: 4xx, no change", 645, (), inputs.CHECK["assistant-api"]),
        Tried("limits", "floods", 5, [f"{'long' * 40}"] * 12, limits.CHECK),
    ]
    lines = list(table(rows))
    assert max(map(len, lines)) <= COLUMNS, [line for line in lines if len(line) > COLUMNS]
    assert [line[:8] for line in lines if line[:4].lower() in ("held", "not ")] == ["held    ", "NOT HELD"]
    assert '"held": false' in last_line(rows, 1.0)
    assert '"held": false' in last_line([], 1.0)


def test_every_check_fits_into_a_line() -> None:
    checks = [*inputs.CHECK.values(), *tokens.CHECK.values(), tokens.FOREIGN_CHECK, framing.CHECK, webhook.CHECK]
    checks += [sockets.CHECK, limits.CHECK]
    assert [check for check in checks if len(f"  $ {check}") > COLUMNS] == []


def test_without_a_stack_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.attack.__main__ import main

    assert main(["--state", str(tmp_path)]) == 2
    assert "nothing is running" in capsys.readouterr().err
