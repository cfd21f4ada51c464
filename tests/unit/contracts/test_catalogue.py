"""The error catalogue is complete, and its codes are what the messages allow."""

import re

import pytest

from zerotouch_contracts.errors import CATALOGUE, ErrorCode


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_has_an_entry_that_helps(code: ErrorCode) -> None:
    entry = CATALOGUE[code]

    assert entry.code is code
    assert re.fullmatch(r"TS-[0-9]{3}", code.value)
    for text in (entry.title, entry.meaning, entry.who_acts, entry.what_to_do):
        assert text.strip() == text != ""
    assert entry.meaning.endswith(".")
    assert entry.what_to_do.endswith(".")


def test_the_catalogue_holds_nothing_else_and_no_title_twice() -> None:
    assert set(CATALOGUE) == set(ErrorCode)
    assert len({entry.title for entry in CATALOGUE.values()}) == len(CATALOGUE)
