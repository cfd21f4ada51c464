"""Where SQL may stand in assistant-api: routes and commands hold none."""

import ast
import re
from pathlib import Path

import pytest

import assistant_api

SOURCE = Path(assistant_api.__file__).parent
STATEMENT = re.compile(r"^\s*(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\s")  # in capitals, as all our SQL is


def statements_in(source: str) -> list[str]:
    """Each text of a module that begins as an SQL statement does."""
    texts = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return [text for text in texts if isinstance(text, str) and STATEMENT.match(text)]


@pytest.mark.parametrize("edge", ["cli", "http/routes"])
def test_an_edge_holds_no_sql(edge: str) -> None:
    modules = sorted((SOURCE / edge).rglob("*.py"))
    assert modules
    assert {module.name: found for module in modules if (found := statements_in(module.read_text()))} == {}


def test_sql_is_found_also_within_a_formatted_text() -> None:
    assert statements_in('A = "SELECT 1"') == ["SELECT 1"]
    assert statements_in('A = f"UPDATE agents SET {x} = $1"') == ["UPDATE agents SET "]
    assert statements_in('"""Selects nothing."""') == []
