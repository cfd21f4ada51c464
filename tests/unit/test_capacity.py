"""What docs/capacity.md quotes stands where it says, under the row that it names; its settings and metrics exist."""

import re
from pathlib import Path

import pytest

from assistant_api.settings import Settings as AssistantApiSettings
from tool_sync.settings import Settings as ToolSyncSettings

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "capacity.md").read_text()
README = (DOCS.parent / "README.md").read_text()
RELIABILITY = (DOCS / "reliability.md").read_text()
QUOTED = re.findall(r'^\| .* \| "([^"]+)" \| (README|reliability\.md), (.*) \|$', PAGE, re.MULTILINE)


@pytest.mark.parametrize(("figure", "page", "place"), QUOTED)
def test_a_figure_stands_where_it_is_from(figure: str, page: str, place: str) -> None:
    text = README if page == "README" else RELIABILITY
    if names := re.findall(r"`([a-z0-9_]+)`", place):
        rows = [line for line in text.splitlines() if line.startswith("| ")]
        text = "\n".join(line for line in rows if all(f"`{name}`" in line for name in names))
    elif place == "Topics":
        text = text.split("**Topics**")[1].split("\n\n")[0]
    else:
        text = text.split(f"\n## {place}\n")[1].split("\n## ")[0]
    assert figure in " ".join(text.split())


def test_every_row_of_figures_is_quoted() -> None:
    table = PAGE.split("| what | measured | where |\n")[1].split("\n\n")[0]
    assert len(QUOTED) == len(table.splitlines()) - 1 > 10


def test_what_it_says_to_change_is_a_setting() -> None:
    fields = {name.upper() for kind in (AssistantApiSettings, ToolSyncSettings) for name in kind.model_fields}
    named = set(re.findall(r"`([A-Z][A-Z0-9_]+)(?:=\d+)?`", PAGE))
    assert named
    assert named <= fields


def test_what_it_says_to_look_at_is_exported() -> None:
    metrics = set(re.findall(r"`(zerotouch\.[a-z._]+)`", PAGE))
    documented = set(re.findall(r"`(zerotouch\.[a-z._]+)`", (DOCS / "telemetry.md").read_text()))
    assert metrics
    assert metrics <= documented


def test_the_arithmetic_is_that_of_the_shares() -> None:
    assistant_api, tool_sync = (
        kind.model_fields["vapi_rate_share"].default for kind in (AssistantApiSettings, ToolSyncSettings)
    )
    assert (assistant_api, tool_sync) == (0.4, 0.6)
    assert (round(1200 * assistant_api), round(1200 * tool_sync / 3)) == (480, 240)
    assert round(10_000 / (1200 * tool_sync)) == 14
