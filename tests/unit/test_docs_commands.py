"""No command stands in the documentation without somebody saying which test runs it, or why none does."""

import re

import pytest
from tests.support.docs_commands import UnknownLine, is_a_name, key_of, read
from tests.support.docs_list import CommandList, CommandRun, all_commands, in_a_page, known, why_not_run_there

FOUND = all_commands()
LIST = known()


def texts(page: str) -> list[str]:
    return [command.text for command in read("page.md", page)]


@pytest.mark.parametrize("page", sorted({command.page for command in FOUND}))
def test_what_becomes_of_each_command_of_a_page_is_known(page: str) -> None:
    unknown = {key_of(command.text) for command in FOUND if command.page == page and not LIST.has(command)}
    assert unknown == set(), "write each into tests/acceptance/docs_commands/commands.toml"


def test_what_the_list_names_stands_in_a_page_and_once_in_the_list() -> None:
    keys = {key_of(command.text) for command in FOUND}
    assert [step.run for step in LIST.here if not in_a_page(step, FOUND)] == []
    assert {*LIST.elsewhere, *LIST.not_run} <= keys
    here = [step.key for step in LIST.here]
    assert len({*here, *LIST.elsewhere, *LIST.not_run}) == len(here) + len(LIST.elsewhere) + len(LIST.not_run)
    assert LIST.by_page.keys() <= {command.page for command in FOUND if command.in_block}


@pytest.mark.parametrize("where", sorted({*LIST.elsewhere.values(), *LIST.by_page.values()}))
def test_what_is_said_to_run_a_command_is_there(where: str) -> None:
    assert why_not_run_there(where) is None


@pytest.mark.parametrize("reason", sorted(set(LIST.not_run.values())))
def test_what_is_not_run_has_a_reason_and_a_target_that_it_names_exists(reason: str) -> None:
    assert len(reason.split()) >= 2
    for target in re.findall(r"`make ([\w-]+)", reason):
        assert (
            why_not_run_there(f"nightly: {target}") is None
            or why_not_run_there(f"ci: {target}") is None
            or (target == "nightly")
        )


def test_a_command_that_nobody_knows_is_found() -> None:
    (new,) = read("docs/new.md", "    tool-sync coverage --org ORG\n")
    assert not LIST.has(new)
    assert not CommandList((), (), {}, {}, {}).has(new)
    assert not in_a_page(CommandRun("tool-sync paint the wall"), FOUND)
    assert why_not_run_there("nightly: paint") == "nightly does not make paint"
    assert why_not_run_there("ci: sim MINUTES=30") == "ci does not make sim MINUTES=30"
    assert why_not_run_there("tests/unit/test_docs_commands.py::test_nothing") is not None
    assert why_not_run_there("tests/unit/test_paint.py::test_nothing") == "there is no tests/unit/test_paint.py"


def test_blocks_are_read_as_a_shell_reads_them() -> None:
    assert texts("Text:\n\n    make up      # somebody's\n    make down   stops it\n\nand more") == [
        "make up",
        "make down",
    ]
    assert texts("    curl -d '{\n      \"a\": 1}' \\\n         http://x\n    make up\n") == [
        "curl -d '{\n  \"a\": 1}' http://x",
        "make up",
    ]
    assert texts('```sh\nexport A="$(date -u +%F)"  # now\n\n# a comment\nmake up\n```\n') == [
        'export A="$(date -u +%F)"',
        "make up",
    ]
    assert texts("1. CommandRun.\n\n       tool-sync migrate\n\n   and\n") == ["tool-sync migrate"]


def test_what_is_shown_belongs_to_its_command() -> None:
    first, second = read("page.md", "    $ tool-sync coverage\n    all can\n      book\n    $ make up\n")
    assert (first.text, first.shown) == ("tool-sync coverage", ("all can", "  book"))
    assert (second.text, second.shown) == ("make up", ())


def test_what_is_no_command_is_passed_over_and_what_nobody_knows_is_not() -> None:
    assert texts('    name = "x"\n    [[messages]]\n\n    A_SETTING=https://x\n\n    {"success": true}\n') == []
    assert texts("`tool-sync.fleet.v1` of `tool-sync`, `make` and `coverage`") == []
    with pytest.raises(UnknownLine, match=r"page\.md: paint the wall"):
        texts("    paint the wall\n")


def test_commands_in_sentences_and_their_neighbours_in_a_table_are_found() -> None:
    assert texts("Run `tool-sync log\nverify`, or `make  up`; `status` too.") == ["tool-sync log verify", "make up"]
    row = "| `tool-sync rollout plan TOOL@V`, `status` | not `list` |\n"
    assert texts(row) == ["tool-sync rollout plan TOOL@V", "tool-sync rollout status"]
    assert texts("| `tool-sync check ORG\\|ASSISTANT --live` | |\n") == ["tool-sync check ORG|ASSISTANT --live"]
    assert texts("| `assistant-api erase phone NUMBER`, `erase verify`; `export-phone N` |") == [
        "assistant-api erase phone NUMBER",
        "assistant-api erase verify",
        "assistant-api export-phone N",
    ]


def test_the_reason_makes_no_other_command() -> None:
    for reason in ("TEXT", "…", '"it is late"'):
        assert key_of(f"tool-sync rollout pause ROLLOUT --reason {reason}") == "tool-sync rollout pause ROLLOUT"
    assert key_of("tool-sync tail --org … --type …") == "tool-sync tail --org … --type …"


def test_a_name_is_told_from_a_command() -> None:
    names = ("tool-sync rollout status", "tool-sync ship", "assistant-api erase", "make backup", "tool-sync")
    commands = ("tool-sync coverage", "tool-sync failures retry", "tool-sync --install-completion", "make up")
    assert all(map(is_a_name, names))
    assert not any(map(is_a_name, commands))
