"""Builds the documentation site: ``python deploy/docs/build.py OUT``.

The pages stay where they are in the repository, beside what they describe. Here they are put into one folder under the
same paths, so that their links hold, together with the files that they link; `zensical.toml` says the order, and
a test that no page is left out. A link to nothing ends the build.
"""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
CONFIG: Final = Path(__file__).with_name("zensical.toml")
STYLE: Final = Path(__file__).with_name("wide.css")
DECISIONS: Final = "docs/adr"
OUTSIDE: Final = ("tests/attack/ideas.md", "tests/corpus/bookings.md")
"""Lists that tests read: linked, and no page of their own."""
_LINK: Final = re.compile(r"\]\((?!\w+:)([^)#\s]*)(#[^)\s]*)?\)")
_CODE: Final = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def config() -> str:
    """Zensical's configuration, with every decision in its place."""
    decisions = [f"{DECISIONS}/{page.name}" for page in sorted((ROOT / DECISIONS).glob("*.md"))]
    return CONFIG.read_text().replace(f'["{DECISIONS}"]', json.dumps(decisions))


def pages() -> list[str]:
    """The site's pages, in its order."""
    return list(_of(tomllib.loads(config())["project"]["nav"]))


def _of(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for entry in nav.values() if isinstance(nav, dict) else nav:
            yield from _of(entry)


def pages_there() -> set[str]:
    """Every page of the repository."""
    found = (page.relative_to(ROOT) for page in ROOT.rglob("*.md"))
    return {str(page) for page in found if not any(part.startswith(".") for part in page.parts)} - set(OUTSIDE)


def links_of(page: str) -> Iterator[str]:
    """The files and folders of the repository that a page links, from its root. Raises `FileNotFoundError`."""
    text = _CODE.sub("", (ROOT / page).read_text())
    for match in _LINK.finditer(text):
        if match[1]:
            target = (ROOT / page).parent / match[1]
            yield str(target.resolve(strict=True).relative_to(ROOT))


def stage(folder: Path) -> None:
    """Put the pages, and what they link, into a folder."""
    for name in {*pages(), *(link for page in pages() for link in links_of(page))}:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def main() -> None:
    """Build the site into the folder that the command line names; what was there before goes."""
    out = Path(sys.argv[1]).resolve()
    shutil.rmtree(out, ignore_errors=True)
    stage(out / "pages")
    shutil.copy(STYLE, out / "pages")
    (out / CONFIG.name).write_text(config())
    subprocess.run([Path(sys.executable).with_name("zensical"), "build", "--strict"], cwd=out, check=True)  # noqa: S603
    print(f"{out / 'site' / 'index.html'}")


if __name__ == "__main__":
    main()
