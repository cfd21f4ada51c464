"""Ask an API of Vapi what is not published, and say where the sandbox differs.

It needs a key: VAPI_API_KEY. VAPI_BASE_URL names another API than https://api.vapi.ai. At most 40 calls, one per 0.7 s,
with objects of its own whose names begin with zt-probe-; they are deleted at the end, and what could not be deleted is
named. Exit status: 0 nothing differs, 1 something differs, is left behind or was not asked, 2 usage.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from uuid import uuid4

import httpx
from tests.support.sandbox_process import sandbox_process

from .api import CALLS_MAX, PACE_SECONDS, PREFIX, TIMEOUT_SECONDS, Api
from .questions import ask

BASE_URL = "https://api.vapi.ai"
SANDBOX_KEY = "sandbox-private-key"
# Between calls to the sandbox: two creations must not fall into one millisecond.
SANDBOX_PACE_SECONDS = 0.003


@dataclass(frozen=True)
class Findings:
    """What one API answered, what is left there, and how many calls it took. `cut`: not all was asked."""

    answers: dict[str, str]
    left: list[str]
    calls: int
    cut: bool


def probe(api: Api) -> Findings:
    """Ask everything and delete what was made, even where it is cut in the middle."""
    answers: dict[str, str] = {}
    cut = True
    try:
        for question, answer in ask(api):
            answers[question] = answer  # noqa: PERF403  # a cut must leave those before it
        cut = False
    except (KeyboardInterrupt, SystemExit):
        pass  # what was learned so far is shown, and `cut` says the rest
    finally:
        left = api.clean_up()
    return Findings(answers, left, api.calls, cut)


def report(findings: Findings, sandbox: dict[str, str]) -> list[str]:
    """Return one line for each question, then what went wrong."""
    lines = []
    for question, answer in findings.answers.items():
        ours = sandbox.get(question, "not asked")
        verdict = "same" if answer == ours else "DIFFERENT"
        lines.append(f"{verdict:9}  {question}: Vapi {answer} | sandbox {ours}")
    lines += [f"not asked  {question}" for question in sandbox if question not in findings.answers]
    lines += [f"left behind  {what}" for what in findings.left]
    lines.append(f"{findings.calls} calls{', cut off' if findings.cut else ''}")
    return lines


def differs(findings: Findings, sandbox: dict[str, str]) -> bool:
    """Say whether anything is not as the sandbox has it, is left behind, or was not asked."""
    return findings.cut or bool(findings.left) or findings.answers != sandbox


def main() -> int:
    """Run the command line."""
    argparse.ArgumentParser(
        prog="make vapi-probe", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    key, base_url = os.environ.get("VAPI_API_KEY", ""), os.environ.get("VAPI_BASE_URL") or BASE_URL
    if not key.isascii() or not key.strip():
        print("vapi-probe needs a key: make vapi-probe VAPI_API_KEY=...", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with sandbox_process() as sandbox_url, _api(sandbox_url, SANDBOX_KEY, SANDBOX_PACE_SECONDS) as ours:
        expected = probe(ours)
    if expected.cut:
        return 1
    sandbox = expected.answers
    try:
        with _api(base_url, key, SANDBOX_PACE_SECONDS if _is_here(base_url) else PACE_SECONDS) as theirs:
            if theirs.send("GET", "/tool", limit="1").status_code == httpx.codes.UNAUTHORIZED:
                print(f"vapi-probe: {base_url} does not accept the key", file=sys.stderr)
                return 2
            findings = probe(theirs)
    except (httpx.HTTPError, httpx.InvalidURL) as error:  # of the first call: the others are answers
        print(f"vapi-probe cannot reach {base_url}: {error}", file=sys.stderr)
        return 2
    print("\n".join(report(findings, sandbox)))
    return 1 if differs(findings, sandbox) else 0


@contextmanager
def _api(base_url: str, key: str, pace_seconds: float) -> Iterator[Api]:
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=base_url, headers=headers, timeout=TIMEOUT_SECONDS) as http:
        yield Api(http, f"{PREFIX}{uuid4().hex[:8]}", pace_seconds, CALLS_MAX)


def _is_here(base_url: str) -> bool:
    host = httpx.URL(base_url).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())
