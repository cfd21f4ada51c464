"""What docs/security.md names as evidence is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_every_test_that_is_named_exists() -> None:
    named = set(re.findall(r"[\w/]*test_\w+\.py", PAGE))
    present = [path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(named) > 12
    assert [name for name in sorted(named) if not any(path.endswith(f"/{name}") for path in present)] == []


def test_every_decision_and_target_that_is_named_exists() -> None:
    numbers = {int(number) for group in re.findall(r"ADR ([\d, ]+\d)", PAGE) for number in group.split(",")}
    present = {int(path.name[:4]) for path in (ROOT / "docs" / "adr").glob("*.md")}
    assert len(numbers) > 8
    assert numbers <= present
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [name for name in re.findall(r"`make ([a-z-]+)`", PAGE) if f"\n{name}:" not in makefile] == []
