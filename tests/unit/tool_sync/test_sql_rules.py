"""Where SQL may stand in tool-sync: ``events`` is read in ``log/`` and ``queries/`` only, edges hold none at all."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tool_sync

SOURCE = Path(tool_sync.__file__).parent
READERS = ("log", "queries")
EDGES = ("cli", "http")

READS_EVENTS = re.compile(r"\b(?:FROM|JOIN|INTO)\s+(?:ONLY\s+)?(?:public\.)?\"?events\b", re.IGNORECASE)
STATEMENT = re.compile(r"^\s*(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\s")  # in capitals, as all our SQL is


def broken_rules(root: Path) -> list[str]:
    """Each rule that a file below ``root`` breaks, as a sentence with its place."""
    found = []
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root)
        for line, text in _strings(ast.parse(path.read_text())):
            if place.parts[0] not in READERS and READS_EVENTS.search(text):
                found.append(f"{place}:{line}: reads events; that belongs into log/ or queries/")
            elif place.parts[0] in EDGES and STATEMENT.match(text):
                found.append(f"{place}:{line}: holds SQL; that belongs into queries/ or admin/")
    return found


def _strings(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Every string but docstrings, which may speak of events. The pieces of an f-string are joined, values left out."""
    prose = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
    parts = {id(part) for node in ast.walk(module) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(module):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(_text(part) for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose | parts:
            yield node.lineno, node.value


def _text(part: ast.expr) -> str:
    return part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "?"


def test_events_are_read_in_log_and_queries_only_and_edges_hold_no_sql() -> None:
    assert broken_rules(SOURCE) == []


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("sync/peek.py", '_HEAD = "SELECT max(position) FROM events"'),
        ("admin/peek.py", '_ALL = """\nSELECT o.id FROM organizations o\n  JOIN events e ON e.org_id = o.id\n"""'),
        ("outcomes/peek.py", 'ORG = "x"\n_F = f"SELECT {ORG} FROM\\n  events WHERE org_id = $1"'),
        ("vapi/peek.py", '_OLD = "insert into events (position) values ($1)"'),
        ("metrics.py", '_PUBLIC = "SELECT count(*) FROM public.events"'),
        ("http/peek.py", 'async def get(c):\n    return await c.fetch("SELECT id FROM organizations")'),
        ("cli/peek.py", '_SHUT = "UPDATE dead_letters SET replayed_at = now()"'),
    ],
)
def test_sql_in_the_wrong_place_is_found(tmp_path: Path, place: str, source: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(source)
    (found,) = broken_rules(tmp_path)
    assert found.startswith(f"{place}:")


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("log/head.py", '_HEAD = "SELECT max(position) FROM events"'),
        ("queries/waiting.py", '_WAITING = "SELECT 1 FROM pending_syncs p JOIN events e ON true"'),
        ("sync/leases.py", '"""What is known from events."""\n_CLAIM = "SELECT org_id FROM leases"'),
        ("cli/words.py", 'HELP = "With a key: select what is read from events_of_old."'),
    ],
)
def test_sql_in_its_place_and_prose_are_let_through(tmp_path: Path, place: str, source: str) -> None:
    path = tmp_path / place
    path.parent.mkdir()
    path.write_text(source)
    assert broken_rules(tmp_path) == []
