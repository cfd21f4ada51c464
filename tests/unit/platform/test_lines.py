"""How what commands print is folded: nothing is lost, no word is broken, and all that can be fits."""

import os
import pty
import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from subprocess import PIPE, Popen

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.widths import too_wide

from zerotouch_platform.lines import COLUMNS, COLUMNS_OF_ROWS, fold

ORG = "01a2291d-cf25-764c-a6b7-ad72bcf7bc02"
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z", "M"], exclude_characters="`"), min_size=1)


def folded(line: str) -> list[str]:
    return list(fold(line))


@given(st.lists(WORDS, max_size=60), st.sampled_from(["", "  ", "    "]))
def test_no_word_is_lost_broken_or_moved(words: list[str], indent: str) -> None:
    lines = folded(indent + " ".join(words))
    assert " ".join(lines).split() == words
    assert all(line.startswith(indent) for line in lines if line)


@given(st.lists(st.text("abc", min_size=1, max_size=40), max_size=60), st.sampled_from(["", "  ", "wanted      "]))
def test_prose_of_short_words_is_never_wider_than_80_columns(words: list[str], lead: str) -> None:
    lines = folded(lead + " ".join(words))
    assert all(len(line) <= COLUMNS for line in lines)
    assert too_wide("\n".join(lines)) == []
    for line, after in pairwise(lines):
        assert len(line) + 1 + len(after.split()[0]) > COLUMNS, "the next word would have fitted"


def test_what_goes_on_stands_below_the_text_of_its_label() -> None:
    assert folded(
        "wanted      yes: by rollout seed-bookClinicAppointment, completed: version 2; the organization's tier is basic"
    ) == [
        "wanted      yes: by rollout seed-bookClinicAppointment, completed: version 2;",
        "            the organization's tier is basic",
    ]


def test_what_goes_on_of_a_field_is_not_taken_for_the_next_one() -> None:
    first, second = folded(f"  what to do: {'ask the clinic ' * 6}".rstrip())
    assert first.startswith("  what to do: ask")
    assert re.match(r" {6}\S", second)


def test_a_row_of_a_list_has_119_columns_where_no_terminal_is_narrower() -> None:
    row = f"1  2026-11-28 14:30:00 UTC  {'x ' * 45}".rstrip()
    assert COLUMNS < len(row) <= COLUMNS_OF_ROWS
    assert folded(row) == [row]
    assert max(map(len, folded(f"{row} {'y ' * 30}"))) <= COLUMNS_OF_ROWS
    assert max(map(len, fold(row, 60, 60))) <= 60


@pytest.mark.parametrize("word", [f"https://tools.example.com/{'x' * 90}", "y" * 500])
def test_what_is_longer_than_a_line_stays_whole_where_it_is(word: str) -> None:
    assert folded(f"  trace: {word}") == [f"  trace: {word}"]
    assert folded(f"  trace: {word} and more") == [f"  trace: {word}", "      and more"]


def test_a_command_in_backticks_is_not_broken() -> None:
    command = f"`tool-sync status-links list {ORG}`"
    first, second = folded(f"it is as it was, and what is known of it and of others {command} shows")
    assert first == "it is as it was, and what is known of it and of others"
    assert second == f"    {command} shows"
    assert len(folded(f"`{'a word ' * 30}`")) > 1, "what stands between two stray ones is no command"


def test_json_is_not_broken_where_its_texts_have_spaces() -> None:
    line = f'  data: {{"reason":"{"the tool is late " * 6}","tools":[]}}'
    assert folded(line) == [line]
    assert too_wide(line) == []


def test_letters_of_two_columns_count_twice_and_accents_do_not_count() -> None:
    assert [line.count("診療所") for line in folded("診療所 " * 30)] == [11, 11, 8]
    accented = "e\N{COMBINING ACUTE ACCENT}" * 10
    assert folded(f"{accented} {accented} {accented} {accented}") == [f"{accented} {accented} {accented} {accented}"]


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\x07b", "a\u202eb", "a\x9bb", "a\rb"])
def test_a_terminal_obeys_nothing_of_what_others_wrote(text: str) -> None:
    (line,) = folded(text)
    assert line.isprintable()
    assert "?" in line


def test_an_empty_line_stays_one() -> None:
    assert folded("") == [""]


PRINTING = "from zerotouch_platform.lines import {0}; {0}({1!r})"


def in_a_terminal(program: str, columns: int) -> list[str]:
    """What a process prints, both streams of which are a terminal so wide."""
    ours, theirs = pty.openpty()
    env = {"PATH": os.environ["PATH"], "COLUMNS": str(columns)}
    with Popen([sys.executable, "-c", program], stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        assert process.wait() == 0
    read = os.read(ours, 65_536).decode()
    os.close(ours)
    return read.splitlines()


def in_a_pipe(program: str, stream: str) -> list[str]:
    with Popen([sys.executable, "-c", program], stdout=PIPE, stderr=PIPE, text=True) as process:
        out, err = process.communicate()
    return (out if stream == "stdout" else err).splitlines()


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_terminal_has_prose_of_80_columns_and_less_where_it_is_narrower(columns: int) -> None:
    for printing in ("print_line", "print_error"):
        lines = in_a_terminal(PRINTING.format(printing, "some words " * 40), columns)
        assert max(map(len, lines)) <= min(columns, COLUMNS)
        assert " ".join(" ".join(lines).split()) == ("some words " * 40).strip()


def test_a_pipe_has_prose_of_80_columns_and_an_error_in_one_line() -> None:
    text = "some words " * 40
    assert max(map(len, in_a_pipe(PRINTING.format("print_line", text), "stdout"))) <= COLUMNS
    assert in_a_pipe(PRINTING.format("print_error", text), "stderr") == [text]


def test_a_reader_who_goes_away_does_not_end_the_command() -> None:
    """As behind `| head -1`: the work goes on, and the exit status is its own."""
    program = (
        "import sys; from zerotouch_platform.lines import print_lines;"
        " print_lines(str(n) for n in range(100_000)); print_lines(['done']); sys.exit(3)"
    )
    with Popen([sys.executable, "-c", program], stdout=PIPE, stderr=PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"0\n"
        process.stdout.close()
        assert (process.wait(), process.stderr.read()) == (3, b"")


@pytest.mark.parametrize(
    ("lines", "wide"),
    [
        (["x" * 81], 0),
        (["a " * 41], 1),
        ([f"a {'b' * 90}"], 0),
        ([f"{'b' * 90} a"], 1),
        ([f"{ORG} {'a ' * 20}further"], 1),
        (["1  2026-11-28  " + "a " * 50], 0),
        (["1  2026-11-28  " + "a " * 60], 1),
        (['  "description": "' + "a " * 60 + '"'], 0),
        (["short", "lines"], 0),
    ],
)
def test_a_line_that_could_have_been_folded_is_seen(lines: Sequence[str], wide: int) -> None:
    assert len(too_wide("\n".join(lines))) == wide
