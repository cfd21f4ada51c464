"""A class name exists once in a service, so that a search for it ends at one place."""

import ast
from collections import Counter
from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[2] / "services"


@pytest.mark.parametrize("package", ["assistant-api/src", "tool-sync/src", "platform/src"])
def test_a_class_name_exists_once(package: str) -> None:
    paths = sorted((SERVICES / package).rglob("*.py"))
    names = Counter(
        node.name for path in paths for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)
    )

    assert paths
    assert [name for name, times in names.items() if times > 1] == []
