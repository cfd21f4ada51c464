"""Vapi's official Python SDK 3.0.0 drives the sandbox: each test function under `sdk/` is one test here.

With `VAPI_LIVE=1` and `VAPI_API_KEY` the same functions run against the real API (those that need dials left out).
"""

from __future__ import annotations

import ast
import os
import subprocess
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.support.own_environment import ROOT, python_with
from tests.support.sandbox_process import sandbox_process

SUITE = Path(__file__).parent / "sdk"
RUN_SECONDS = 600
LIVE = os.environ.get("VAPI_LIVE") == "1"

# What became of each case of a test function: (case name, outcome, words).
Outcomes = dict[str, list[tuple[str, str, str]]]


def _functions() -> list[str]:
    """List `module::function` of every test in the suite, read from the source: its imports are not ours."""
    names: list[str] = []
    for path in sorted(SUITE.glob("test_*.py")):
        functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
        names += [f"{path.stem}::{node.name}" for node in functions if node.name.startswith("test_")]
    return names


def _run_suite(report: Path, environment: dict[str, str]) -> Outcomes:
    command = [
        str(python_with("vapi-sdk")),
        "-m",
        "pytest",
        "-q",
        "-c",
        str(SUITE / "pytest.ini"),
        f"--junitxml={report}",
    ]
    if LIVE:
        command += ["-m", "not dials"]
    done = subprocess.run(
        [*command, str(SUITE)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert report.exists(), f"the SDK's tests did not run:\n{done.stdout}{done.stderr}"
    outcomes: Outcomes = defaultdict(list)
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314  # our own pytest wrote it
        module = case.attrib["classname"].rpartition(".")[2]
        faults = [child for child in case if child.tag in ("failure", "error", "skipped")]
        words = "\n".join(f"{child.attrib.get('message', '')}\n{child.text or ''}" for child in faults)
        name = case.attrib["name"]
        outcomes[f"{module}::{name.partition('[')[0]}"].append((name, faults[0].tag if faults else "passed", words))
    return outcomes


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """Run the whole suite once."""
    report = tmp_path_factory.mktemp("sdk") / "report.xml"
    if LIVE:
        assert os.environ.get("VAPI_API_KEY"), "VAPI_LIVE=1 needs VAPI_API_KEY"
        return _run_suite(report, {})
    with sandbox_process() as base_url:
        return _run_suite(report, {"VAPI_BASE_URL": base_url})


@pytest.mark.timeout(900)
@pytest.mark.parametrize("function", _functions())
def test_the_official_sdk(function: str, outcomes: Outcomes) -> None:
    cases = outcomes.get(function, [])
    if LIVE and not cases:
        pytest.skip("needs the sandbox's dials")
    assert cases, f"{function} did not run"
    failed = [f"{name} {outcome}\n{words}" for name, outcome, words in cases if outcome != "passed"]
    assert not failed, "\n".join(failed)
