"""The sandbox as a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

SECONDS = 20


@contextmanager
def _running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "vapi_sandbox", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().split()[-1]
        finally:
            process.kill()


def test_it_serves_with_keys_and_dials_and_stops_at_once_on_sigterm(tmp_path: Path) -> None:
    dials = tmp_path / "dials.json"
    dials.write_text('{"list_lag_ms": 5, "rules": [{"route": "POST /tool", "action": {"kind": "hang"}}]}')
    with _running("--key", "mine=org-a", "--dials", str(dials), "--latency-ms", "1") as (process, base_url):
        answer = httpx.get(f"{base_url}/tool", headers={"authorization": "Bearer mine"})
        assert (answer.status_code, answer.json()) == (200, [])
        turned = httpx.get(f"{base_url}/__sandbox/dials").json()
        assert (turned["list_lag_ms"], turned["latency_ms"]) == (5, 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == -signal.SIGTERM
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_taken_port_is_a_clear_error() -> None:
    with _running() as (_, base_url):
        port = str(httpx.URL(base_url).port)
        done = subprocess.run(
            [sys.executable, "-m", "vapi_sandbox", "--port", port],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == f"vapi-sandbox cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_wrong_dials_are_a_clear_error(tmp_path: Path) -> None:
    dials = tmp_path / "dials.json"
    dials.write_text('{"latency": 5}')
    command = [sys.executable, "-m", "vapi_sandbox", "--port", "0", "--dials", str(dials)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 2
    assert "latency" in done.stderr
