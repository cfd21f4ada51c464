"""The glossary speaks of what is there, and the words that gave way to the field's own stay away."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs/glossary.md"
SOURCES = [
    path
    for kind in ("py", "sql")
    for folder in ("services", "contracts")
    for path in ROOT.glob(f"{folder}/**/src/**/*.{kind}")
]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(p for p in ROOT.glob("docs/**/*.md") if p != GLOSSARY)]
CODE = "\n".join(path.read_text() for path in SOURCES)
TEXT = (CODE + "\n".join(path.read_text() for path in PAGES)).lower()
TERMS = re.findall(r"^\| ([^|]+?) \| (?!is \|)", GLOSSARY.read_text(), re.MULTILINE)[1:]

REPLACED = {
    "WEATHER": "TRANSIENT_ERRORS",
    "stirred": "dirty position",
    "looked_through": "processed position",
    "Pace": "concurrency limiter",
    "Fence": "write guard",
    "OpenKey": "Unlimited",
    "on_trial": "half-open",
    "Condemned": "deletion candidate",
    "Suspect": "unconfirmed creation",
    "inhabited": "has assistants",
    "LostAssistants": "orphan lookup",
    "Moment": "state as of",
    "in_turns": "cooperative",
    "Spoken": "assistant spec",
    "Heard": "received outcome",
    "stands_aside": "writes suspended",
}
"""Left: what a newcomer had to be told; right: what everybody in the field says."""


@pytest.mark.parametrize("term", TERMS)
def test_a_term_of_the_glossary_occurs_in_code_or_docs(term: str) -> None:
    words = term.lower()
    assert words in TEXT or words.replace(" ", "_") in TEXT or words.replace(" ", "") in TEXT


def test_the_terms_are_in_order_and_each_is_there_once() -> None:
    assert len(TERMS) > 40
    assert sorted({term.lower() for term in TERMS}) == [term.lower() for term in TERMS]


@pytest.mark.parametrize("word", REPLACED)
def test_a_word_that_was_replaced_is_not_a_name_in_the_source(word: str) -> None:
    assert not re.search(rf"\b{word}\b", CODE), f"say {REPLACED[word]}"
