"""The alarms speak of figures that there are, by rows that say what to do; promtool says when they ring."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from assistant_api.access_log.counting import AccessCounter
from assistant_api.app import metrics as assistant_api
from tool_sync.app import metrics as tool_sync
from zerotouch_platform.limits.policy import Kind, Of
from zerotouch_platform.limits.refusals import Refusals, export
from zerotouch_platform.meters import Meters

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/observability"
ON_CALL = (ROOT / "docs/runbooks/on-call.md").read_text()
TELEMETRY = (ROOT / "docs/telemetry.md").read_text()
GROUPS = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]


def exported() -> dict[str, str]:
    """Every sample's name that either service exports, with what it says of itself."""
    meters = Meters({"service.name": "both"})
    for service in (tool_sync, assistant_api):
        meters.gauges(service.GAUGES, lambda names=tuple(service.GAUGES): dict.fromkeys(names, 1.0))  # type: ignore[misc]
    ours, theirs = tool_sync.Meter(meters), assistant_api.Meter(meters)
    ours.settled("synced", 0.1)
    ours.notified("delivered")
    ours.called("GET", "/tool", 200, 0.1)
    theirs.tool_called("bookClinicAppointment", "booked", 0.1)
    AccessCounter(meters, 1).count("agent.sync", "done")
    refusals = Refusals()
    refusals.counts[Kind.REQUESTS, Of.ORG] = 1
    export(meters, refusals)
    return {
        sample.name: family.documentation
        for family in text_string_to_metric_families(meters.page())
        for sample in family.samples
    }


EXPORTED = exported()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_figure_of_an_alarm_is_exported(rule: dict[str, Any]) -> None:
    named = set(re.findall(r"\bzerotouch_\w+", rule["expr"]))
    assert named <= EXPORTED.keys()
    assert named or "up{" in rule["expr"] or "zerotouch:" in rule["expr"]


PANELS: list[dict[str, Any]] = json.loads((FOLDER / "dashboard.json").read_text())["panels"]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_every_figure_of_the_dashboard_is_exported(panel: dict[str, Any]) -> None:
    named = {name for target in panel["targets"] for name in re.findall(r"\bzerotouch_\w+", target["expr"])}
    assert named
    assert named <= EXPORTED.keys()


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_every_alarm_has_its_row_in_the_runbook_and_its_test(alert: dict[str, Any]) -> None:
    cells = [line.split("|")[1] for line in ON_CALL.splitlines() if line.startswith("| ")]
    assert any(alert["annotations"]["summary"] in cell for cell in cells)
    assert alert["labels"]["severity"] in ("page", "ticket")
    assert f"alertname: {alert['alert']}\n" in (FOLDER / "alerts.test.yml").read_text()


def test_every_figure_says_what_it_is_and_is_in_the_docs() -> None:
    bare = {name for name in EXPORTED if name.endswith("_seconds_sum") or not re.search(r"_(bucket|count|sum)$", name)}
    assert all(EXPORTED.values())
    documented = {
        "_".join((*name.split("."), *({"s": ["seconds"]}.get(unit, [])), *suffix))
        for name, unit, what in re.findall(r"^\| `(zerotouch\.[\w.]+)` \| (\S+) \| (.*)\|$", TELEMETRY, re.MULTILINE)
        for suffix in [["sum"] if "a histogram" in what else ["total"] if "a counter" in what else []]
    }
    assert {name.removesuffix("_created") for name in bare if not name.endswith("_created")} == documented


def test_promtool_says_when_they_ring() -> None:
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("NOT RUN: there is no promtool")
    subprocess.run([promtool, "check", "rules", "alerts.yml"], cwd=FOLDER, check=True)
    subprocess.run([promtool, "test", "rules", "alerts.test.yml"], cwd=FOLDER, check=True)
