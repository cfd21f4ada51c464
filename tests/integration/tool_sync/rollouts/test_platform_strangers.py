"""What else may be sent to `/v1/tools` and `/v1/rollouts`: by whom it must not be, and in forms that nobody expects."""

import json
from collections.abc import AsyncIterator
from itertools import product
from typing import Any, Final

import pytest

from devstack.tokens import Signer
from tool_sync import db
from tool_sync.domain.events import RolloutStarted
from tool_sync.http import tools
from tool_sync.log import EventLog

from ..ordering import say, version
from .context import EVERYBODY
from .desk import WHY, PlatformDesk, file_of, platform_desk
from .limits import INSTALLATION

ROUTES: Final = (
    ("GET", "tools"), ("POST", "tools"), ("POST", "tools/lint"), ("GET", "tools/tool"),
    ("GET", "tools/tool/versions/1"), ("GET", "tools/tool/diff?old=1&new=1"),
    ("POST", "tools/tool/versions/1/withdraw"), ("POST", "tools/tool/halt"),
    ("POST", "tools/tool/resume"), ("POST", "tools/tool/enable"), ("POST", "tools/tool/disable"),
    ("PUT", "tools/tool/drift"),
    ("POST", "rollouts"), ("GET", "rollouts"), ("GET", "rollouts/r"), ("GET", "rollouts/r/orgs"),
    ("POST", "rollouts/r/apply"), ("POST", "rollouts/r/retry"),
    *(("POST", f"rollouts/r/{command}") for command in ("pause", "resume", "promote", "abort", "rollback")),
)  # fmt: skip
WRITES: Final = tuple((method, path) for method, path in ROUTES if method != "GET")
DEEP: Final = b"[" * 100_000
RAW: Final[tuple[bytes, ...]] = (
    b"", b"null", b"[]", b"3", b'"text"', b"{", b"{]", b"\xff\xfe", b"\x00", b"{}", b'{"a":1,"a":2}', b"NaN",
    b'{"reason": NaN}', b'{"reason": 1e999}', b'{"reason": null}', b'{"reason": ""}', b'{"reason": " "}',
    b'{"reason": 7}', b'{"reason": ["x"]}', b'{"reason": {"x": "y"}}', b'{"reason": "two\\nlines"}',
    b'{"reason": "nul \\u0000"}', b'{"reason": "half \\ud800"}', b'{"reason": "Ada, 0151 2345678"}',
    b'{"reason": "ada@example.org"}', b'{"\\ud800": 1, "reason": "x"}', b'{"\\u0000": 1, "reason": "x"}',
    b'{"reason": "' + b"x" * 300 + b'"}', b'{"reason": "x", "more": 1}', b"\xef\xbb\xbf{}", DEEP,
    b'{"reason":' + DEEP + b"}", b'{"reason": "x", "n": ' + b"9" * 5000 + b"}",
    '{"reason": "\u202eright to left"}'.encode(), b"{" + b" " * 120_000 + b"}",
)  # fmt: skip
IDS: Final = (
    "%00", "%ED%A0%80", "%FF", "..%2f..", "x" * 300, "%F0%9F%92%89", "'%20OR%201=1", "~contracts", "%0a", "r%20",
)  # fmt: skip
STAGES: Final[tuple[Any, ...]] = (
    "bold", 5, None, [], [1], ["all"], [{}], [{"percent": 101}], [{"percent": -1}], [{"percent": True}],
    [{"percent": 10**400}], [{"percent": "5"}], [{"percnt": 5}], [{"\ud800": 5}], [{"\x00": 5}],
    [{"name": "\ud800", "percent": 1}], [{"name": "a\x00", "percent": 1}], [{"name": "n" * 41, "percent": 1}],
    [{"percent": 1, "tiers": ["gold"]}], [{"percent": 1, "tiers": ["\ud800"]}], [{"percent": 1, "tiers": "basic"}],
    [{"orgs": ["\ud800"]}], [{"orgs": ["nobody"]}], [{"orgs": "nobody"}], [{"orgs": [None]}],
    [{"percent": 1, "bake_minutes": 10**12}], [{"percent": 1, "bake_minutes": "5"}], [{"percent": 1}] * 21,
    [{"orgs": ["0b7e5a52-0f3c-4c8e-9f3a-6d0a3f9c1b22"] * 1001}],
)  # fmt: skip
PLANS: Final[tuple[dict[str, Any], ...]] = (
    {}, {"tool": "tool"}, {"tool": "tool", "version": "1"}, {"tool": "tool", "version": 0},
    {"tool": "tool", "version": True}, {"tool": "tool", "version": 10**30}, {"tool": "tool", "version": 1.0},
    {"tool": "tool", "version": -1}, {"tool": "tool", "version": 2}, {"tool": "toool", "version": 1},
    {"tool": "to\x00l", "version": 1}, {"tool": "\ud800", "version": 1}, {"tool": 5, "version": 1},
    {"tool": "x" * 65, "version": 1},
    *({"tool": "tool", "version": 1, "stages": asked} for asked in STAGES),
    *({"tool": "tool", "version": 1, "own_orgs": own} for own in (
        ["nobody"], "nobody", [5], ["\ud800"], ["0b7e5a52-0f3c-4c8e-9f3a-6d0a3f9c1b22"] * 101,
    )),
    {"tool": "tool", "version": 1, "stages": [{"percent": 1}], "own_orgs": ["0b7e5a52-0f3c-4c8e-9f3a-6d0a3f9c1b22"]},
)  # fmt: skip
FILES: Final[tuple[dict[str, Any], ...]] = (
    file_of("\ud800"), file_of("a\x00"), file_of("x", note="\ud800"), file_of("x", static_parameters={"\ud800": 1}),
    file_of("x", static_parameters={"a": "\ud800"}), file_of("x", **{"\ud800": 1}), file_of("x", **{"\x00": 1}),
    file_of("x", messages=[{"type": "\ud800"}]), file_of("x", messages=[{"\ud800": 1}]),
    file_of("x", parameters={"type": "object", "properties": {"\ud800": {"type": "string"}}}),
    file_of("x", parameters={"$ref": "#"}), file_of("x", parameters={"type": "\ud800"}),
    file_of("x", server_url="https://\ud800.example"), file_of("x", contract=0, server_url="https://[::1"),
    file_of("x", contract=0, server_url="https://xn--\ud800"), file_of("x", contract=10**30), file_of("{{ liquid }}"),
    file_of("x", timeout_seconds=10**30), file_of("x", tier="\ud800"), file_of("x", contract=99),
    {**file_of("x"), "name": "\ud800"}, {**file_of("x"), "name": "a\x00"}, {**file_of("x"), "name": ""},
    {**file_of("x"), "name": "x" * 65}, {**file_of("x"), "contract": "2"},
)  # fmt: skip


@pytest.fixture
async def desk(
    pool: db.Pool, log: EventLog, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[PlatformDesk]:
    """One tool with one version, one order that runs, and a name service that knows nobody."""

    async def knows_nobody(_host: str) -> tuple[()]:
        raise OSError("no such name")

    monkeypatch.setattr(tools, "resolve", knows_nobody)
    async with pool.acquire() as connection:
        await db.claim_installation(connection, INSTALLATION)
    await say(log, version("tool"), RolloutStarted("r", "tool", 1, (EVERYBODY,), "tried", None))
    async with platform_desk(pool, log, signer) as desk:
        yield desk


async def positions(pool: db.Pool) -> int:
    found: int = await pool.fetchval("SELECT max(position) FROM events")
    return found


def _is_refused(status: int) -> bool:
    return 400 <= status < 500


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_clinic_is_refused_and_a_stranger_is_asked_for_a_token(
    desk: PlatformDesk, pool: db.Pool, method: str, path: str
) -> None:
    before = await positions(pool)
    of_clinic = await desk.client.request(method, f"/v1/{path}", headers=desk.clinic_headers, json=WHY)
    assert (of_clinic.status_code, of_clinic.json()["code"]) == (403, "TS-903")
    assert (await desk.client.request(method, f"/v1/{path}", json=WHY)).status_code == 401
    assert await positions(pool) == before


async def test_no_body_is_answered_with_our_fault_or_written_down(desk: PlatformDesk, pool: db.Pool) -> None:
    before = await positions(pool)
    for (method, path), content in product(WRITES, RAW):
        if path == "tools/lint":
            continue
        answer = await desk.ask(method, path, content=content)
        assert _is_refused(answer.status_code), (path, content[:80], answer.status_code, answer.text[:200])
        assert answer.headers["content-type"] == "application/problem+json"
    assert await positions(pool) == before


async def test_lint_answers_every_body_with_its_problems(desk: PlatformDesk) -> None:
    for content in (*RAW, *(json.dumps(file).encode() for file in FILES)):
        answer = await desk.ask("POST", "tools/lint", content=content)
        assert answer.status_code == 413 if len(content) > 100_000 else answer.json()["problems"], content[:80]


async def test_no_id_is_answered_with_our_fault(desk: PlatformDesk, pool: db.Pool) -> None:
    before = await positions(pool)
    for (method, path), wrong in product(ROUTES, IDS):
        if "/" not in path or path == "tools/lint":
            continue
        kind, _, rest = path.partition("/")
        asked = f"{kind}/{wrong}/{rest.partition('/')[2]}".rstrip("/")
        answer = await desk.ask(method, asked, **({} if method == "GET" else {"json": WHY | {"plan_hash": "x"}}))
        assert _is_refused(answer.status_code), (asked, answer.status_code, answer.text[:200])
    assert await positions(pool) == before


@pytest.mark.parametrize(
    "path",
    [
        "rollouts/r/orgs?state=later", "rollouts/r/orgs?limit=0", "rollouts/r/orgs?limit=501",
        "rollouts/r/orgs?limit=x",
        "rollouts/r/orgs?after=x", "rollouts/r/orgs?after=%00", "rollouts/r/orgs?after=%ED%A0%80",
        "rollouts/r/orgs?state=%00", "tools/tool/diff", "tools/tool/diff?old=1", "tools/tool/diff?old=0&new=1",
        "tools/tool/diff?old=1&new=99999999999999999999", "tools/tool/diff?old=x&new=1", "tools/tool/versions/0",
        "tools/tool/versions/x", "tools/tool/versions/99999999999999999999", "tools/tool/versions/2", "tools/nothing",
        "rollouts/nothing",
    ],
)  # fmt: skip
async def test_no_query_is_answered_with_our_fault(desk: PlatformDesk, path: str) -> None:
    answer = await desk.ask("GET", path)
    assert _is_refused(answer.status_code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_no_plan_is_answered_with_our_fault_or_kept(desk: PlatformDesk, pool: db.Pool) -> None:
    before = await positions(pool)
    for plan in PLANS:
        answer = await desk.ask("POST", "rollouts", content=json.dumps(plan).encode())
        assert _is_refused(answer.status_code), (plan, answer.status_code, answer.text[:200])
    assert await positions(pool) == before


async def test_no_file_is_answered_with_our_fault_or_published(desk: PlatformDesk, pool: db.Pool) -> None:
    before = await positions(pool)
    for file in FILES:
        answer = await desk.ask("POST", "tools", content=json.dumps(file).encode())
        assert answer.status_code == 422, (file, answer.status_code, answer.text[:300])
        assert answer.json()["problems"]
    assert await positions(pool) == before


async def test_who_mistypes_a_name_is_told_the_nearest_one(desk: PlatformDesk) -> None:
    for method, path, said in (
        ("GET", "tools/tol", "there is no tool tol; the tools are tool; did you mean tool?"),
        ("POST", "tools/tol/halt", "there is no tool tol; the tools are tool; did you mean tool?"),
        ("GET", "tools/tool/versions/7", "there is no document of version 7 of tool; there is 1"),
        ("POST", "tools/tool/versions/7/withdraw", "there is no document of version 7 of tool; there is 1"),
        ("GET", "rollouts/rr", "there is no rollout rr; did you mean r?"),
        ("POST", "rollouts/rr/pause", "there is no rollout rr; did you mean r?"),
    ):
        answer = await desk.ask(method, path, **({} if method == "GET" else {"json": WHY}))
        assert (answer.status_code, answer.json()["detail"]) == (404, said), path
    plan = await desk.ask("POST", "rollouts", json={"tool": "tol", "version": 1})
    assert (plan.status_code, plan.json()["detail"]) == (
        404,
        "there is no tool tol; the tools are tool; did you mean tool?",
    )
