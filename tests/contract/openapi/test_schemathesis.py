"""Both OpenAPI documents, asked by a stranger's generator over real HTTP: no fault of ours, and no broken promise."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from tests.leaks.conftest import Open

from . import campaign

SEED: Final = 20261130
DEEP: Final = os.environ.get("SCHEMATHESIS") == "deep"
EXAMPLES: Final = 60 if DEEP else 4
"""Of each operation, beside those of the document and the boundaries of each parameter."""
ALL: Final = "examples,coverage,fuzzing"
PHASES: Final = {"platform": ALL, "org": ALL if DEEP else "examples,fuzzing"}
"""A clinic's boundaries are the platform's; what differs is who is refused, which `tests/leaks` asks of every route."""
SECONDS_MAX: Final = 1_800 if DEEP else 150


@pytest.fixture(params=["assistant_api", "tool_sync"])
def opened(request: pytest.FixtureRequest) -> Open:
    found: Open = request.getfixturevalue(request.param)
    return found


@pytest.mark.timeout(SECONDS_MAX + 30)
@pytest.mark.parametrize("who", PHASES)
async def test_every_answer_is_as_the_document_says(opened: Open, who: str, tmp_path: Path) -> None:
    async with opened() as world:
        report = await campaign.run(
            world, who, tmp_path, phases=PHASES[who], examples=EXAMPLES, seed=SEED, seconds_max=SECONDS_MAX
        )
        assert report.is_clean, report.said[-20_000:]
        if who == "platform":
            missed = {form.name for form in world.forms()} - report.done
            assert len(missed) < len(list(world.forms())) / 4, f"nothing is proved of what {sorted(missed)} answer"


PATH: Final = "/v1/orgs"


def _tampered(app: ASGIApp, change: Callable[[Message], Message]) -> ASGIApp:
    """The application, with each message of one path's answers changed."""

    async def tampered(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, (lambda message: send(change(message))) if scope["path"] == PATH else send)

    return tampered


def _status(status: int) -> Callable[[Message], Message]:
    return lambda message: {**message, "status": status} if message.get("status") == 200 else message


def _without(member: bytes) -> Callable[[Message], Message]:
    """Another member of the same length in the place of one that is promised."""
    return lambda message: {**message, "body": message.get("body", b"").replace(member, b"x" * len(member))}


def _plain(message: Message) -> Message:
    if message.get("status") != 200:
        return message
    headers = [(name, b"text/plain" if name == b"content-type" else value) for name, value in message["headers"]]
    return {**message, "headers": headers}


MUTANTS: Final[Mapping[str, tuple[Callable[[Message], Message], str]]] = {
    "a status that is not documented": (_status(207), "Undocumented status code"),
    "a fault": (_status(500), "Server error"),
    "a member left out": (_without(b"organizations"), "Response violates schema"),
    "another content type": (_plain, "Undocumented Content-Type"),
}


@pytest.mark.timeout(90)
@pytest.mark.parametrize("what", MUTANTS)
async def test_a_broken_promise_is_found(tool_sync: Open, what: str, tmp_path: Path) -> None:
    change, told = MUTANTS[what]
    async with tool_sync() as world:
        broken: Any = replace(world, app=_tampered(world.app, change))
        report = await campaign.run(
            broken, "platform", tmp_path, phases="fuzzing", examples=4, seed=SEED, only=f"^{PATH}$", seconds_max=60
        )
    assert not report.is_clean
    assert told in report.said, report.said
