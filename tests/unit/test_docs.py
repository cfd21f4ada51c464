"""The documentation is one site: each page has its place in it, and links what is there."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SITE: dict[str, Any] = runpy.run_path(str(ROOT / "deploy/docs/build.py"))
PAGES: list[str] = SITE["pages"]()


def test_every_page_of_the_repository_has_one_place() -> None:
    assert sorted(PAGES) == sorted(SITE["pages_there"]())


@pytest.mark.parametrize("page", PAGES)
def test_a_page_links_what_is_there(page: str) -> None:
    assert all((ROOT / target).exists() for target in SITE["links_of"](page))


def test_a_link_to_nothing_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "page.md").write_text(
        "[there](page.md), [an anchor](#here), ```[no link](a.md)```\n```\n[nor](b.md)\n```\n"
    )
    monkeypatch.setitem(SITE["links_of"].__globals__, "ROOT", tmp_path)
    assert list(SITE["links_of"]("page.md")) == ["page.md"]
    (tmp_path / "page.md").write_text("[gone](gone.md)")
    with pytest.raises(FileNotFoundError):
        list(SITE["links_of"]("page.md"))


DECIDED = (ROOT / "ARCHITECTURE.md").read_text().split("## Where it is decided")[1].split("\n## ")[0]
ROWS = re.findall(r"^\| (?!what is decided|-)(.*) \| (.*) \| `(.*)` \|$", DECIDED, re.MULTILINE)


@pytest.mark.parametrize(("what", "files", "name"), ROWS, ids=[what for what, *_ in ROWS])
def test_what_is_decided_is_in_its_file(what: str, files: str, name: str) -> None:
    for file in re.findall(r"`(.*?)`", files):
        (found,) = (path for path in ROOT.glob(f"services/*/src/**/{file}") if _is_meant(file, path))
        made = rf"^\s*(async def |def |class |CREATE .*)?{re.escape(name)}\b"
        assert re.search(made, found.read_text(), re.MULTILINE)


def _is_meant(file: str, path: Path) -> bool:
    """A folder without its package is tool-sync's."""
    return "tool_sync" in path.parts or file.startswith(("assistant_api/", "zerotouch_platform/"))


def test_all_decisions_were_read() -> None:
    assert len(ROWS) >= 18
