"""The probe against the sandbox: no difference, at most 40 calls, and nothing is left behind, wherever it is cut."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.sandbox_process import sandbox_process

from .__main__ import SANDBOX_KEY, Findings, differs, probe
from .api import CALLS_MAX, Api

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    """A sandbox as a process of its own; its base URL."""
    with sandbox_process() as base_url:
        yield base_url


@pytest.fixture
def control(sandbox: str) -> Iterator[httpx.Client]:
    """The control plane of a sandbox that has forgotten everything."""
    with httpx.Client(base_url=f"{sandbox}/__sandbox") as client:
        client.post("/reset", json={}).raise_for_status()
        yield client


def left_behind(control: httpx.Client) -> int:
    orgs = control.get("/state").json()["vapi_orgs"]
    return sum(len(org["tools"]) + len(org["assistants"]) for org in orgs.values())


def calls_made(control: httpx.Client) -> int:
    return int(control.get("/summary").json()["requests_total"])


def run(sandbox: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as `make vapi-probe` does."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith("VAPI_")}
    return subprocess.run(
        [sys.executable, "-m", "tests.contract.probe"],
        cwd=ROOT,
        env={**keep, "VAPI_BASE_URL": sandbox, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_against_the_sandbox_nothing_differs_and_nothing_is_left(sandbox: str, control: httpx.Client) -> None:
    done = run(sandbox, VAPI_API_KEY=SANDBOX_KEY)
    assert done.returncode == 0, done.stdout + done.stderr
    *lines, last = done.stdout.splitlines()
    assert [line for line in lines if not line.startswith("same ")] == []
    assert len(lines) > 30
    assert lines[0].startswith("same       does PATCH publish at once or make a draft: Vapi GET shows the change")
    assert last == f"{calls_made(control)} calls"
    assert calls_made(control) <= CALLS_MAX
    assert left_behind(control) == 0


@pytest.mark.parametrize(
    ("dials", "question"),
    [
        ({"list_order": "oldest"}, "the order of a list"),
        ({"strict_tool_ids": True}, "PATCH with the id of a tool that is not there"),
        ({"without_traffic_splits": ["*"]}, "GET /traffic-allocations/latest"),
    ],
)
def test_what_another_api_does_is_named(
    sandbox: str, control: httpx.Client, dials: dict[str, Any], question: str
) -> None:
    control.put("/dials", json=dials).raise_for_status()
    done = run(sandbox, VAPI_API_KEY=SANDBOX_KEY)
    assert done.returncode == 1, done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("DIFFERENT")]
    assert question in line


@pytest.mark.parametrize("environment", [{}, {"VAPI_API_KEY": " "}, {"VAPI_API_KEY": "nobody's"}])
def test_without_a_key_that_is_accepted_it_is_an_error_of_usage(
    sandbox: str, control: httpx.Client, environment: dict[str, str]
) -> None:
    done = run(sandbox, **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert "key" in done.stderr


def test_an_api_that_is_not_there_is_an_error_of_usage() -> None:
    done = run("http://127.0.0.1:1", VAPI_API_KEY=SANDBOX_KEY)
    assert done.returncode == 2
    assert "cannot reach" in done.stderr


class Cut(httpx.BaseTransport):
    """Interrupts the call of a number, before it is sent or when its answer is there; later calls pass."""

    def __init__(self, number: int, *, is_sent: bool, error: BaseException) -> None:
        self._left, self._is_sent, self._error = number, is_sent, error
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass the call on, or cut it."""
        self._left -= 1
        if self._left != 0:
            return self._inner.handle_request(request)
        if self._is_sent:
            self._inner.handle_request(request).read()
        raise self._error

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


def cut_at(sandbox: str, number: int, *, is_sent: bool, error: BaseException, calls_max: int = CALLS_MAX) -> Findings:
    headers = {"authorization": f"Bearer {SANDBOX_KEY}"}
    transport = Cut(number, is_sent=is_sent, error=error)
    with httpx.Client(base_url=sandbox, headers=headers, transport=transport) as http:
        return probe(Api(http, "zt-probe-cut", pace_seconds=0, calls_max=calls_max))


@pytest.mark.parametrize("is_sent", [False, True], ids=["before it is sent", "after it was answered"])
@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), httpx.ReadTimeout("no answer")], ids=["interrupted", "without an answer"]
)
def test_wherever_it_is_cut_nothing_is_left(
    sandbox: str, control: httpx.Client, is_sent: bool, error: BaseException
) -> None:
    for number in range(1, CALLS_MAX + 1):
        control.post("/reset", json={}).raise_for_status()
        findings = cut_at(sandbox, number, is_sent=is_sent, error=error)
        assert (left_behind(control), calls_made(control) <= CALLS_MAX) == (0, True), number
        # The last calls are the deletions themselves: there a cut is told.
        assert findings.left == [] or number > CALLS_MAX - 10, number


@pytest.mark.parametrize("calls_max", range(1, 40, 3))
def test_it_keeps_to_its_calls_and_still_deletes_what_it_made(
    sandbox: str, control: httpx.Client, calls_max: int
) -> None:
    findings = cut_at(sandbox, -1, is_sent=False, error=KeyboardInterrupt(), calls_max=calls_max)
    assert calls_made(control) <= calls_max
    assert (left_behind(control), findings.left) == (0, [])


def test_what_cannot_be_deleted_is_named(sandbox: str, control: httpx.Client) -> None:
    action = {"kind": "status", "status": 503}
    control.put("/dials", json={"rules": [{"route": "DELETE /assistant/{id}", "action": action}]}).raise_for_status()
    findings = cut_at(sandbox, -1, is_sent=False, error=KeyboardInterrupt())
    assert [line.split()[0] for line in findings.left] == ["assistant", "assistant"]
    assert all("503" in line for line in findings.left)
    assert left_behind(control) >= 2
    assert differs(findings, findings.answers)


@pytest.mark.parametrize("form", ["html", "null", "truncated", "array"])
def test_an_answer_of_another_shape_is_an_answer(sandbox: str, control: httpx.Client, form: str) -> None:
    rules = [
        {"route": route, "skip": skip, "times": 1, "action": {"kind": "mangle", "form": form}}
        for route, skip in (("GET /tool", 1), ("PATCH /assistant/{id}", 5), ("GET /assistant/{id}", 2))
    ]
    control.put("/dials", json={"rules": rules}).raise_for_status()
    done = run(sandbox, VAPI_API_KEY=SANDBOX_KEY)
    assert (done.returncode, done.stderr) == (1, "")
    assert "DIFFERENT" in done.stdout
    assert left_behind(control) == 0


def test_a_process_that_is_ended_in_the_middle_deletes_what_it_made(sandbox: str, control: httpx.Client) -> None:
    control.put("/dials", json={"latency_ms": 50}).raise_for_status()
    keep = {name: value for name, value in os.environ.items() if not name.startswith("VAPI_")}
    command = [sys.executable, "-m", "tests.contract.probe"]
    environment = {**keep, "VAPI_BASE_URL": sandbox, "VAPI_API_KEY": SANDBOX_KEY}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        while left_behind(control) < 3 and process.poll() is None:
            pass  # each look is a request to the sandbox
        process.terminate()
        told, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "calls, cut off" in told
    assert left_behind(control) == 0
    assert calls_made(control) <= CALLS_MAX
