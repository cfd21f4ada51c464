"""``tool-sync errors``: what a code means and what to do, as docs/errors.md says it; needs no database."""

from collections.abc import Iterator
from dataclasses import asdict
from difflib import get_close_matches
from typing import Annotated

import typer

from tool_sync.cli.exits import fail
from tool_sync.cli.options import Json
from tool_sync.cli.output import entry, show
from zerotouch_contracts.errors import CATALOGUE, ErrorEntry, entry_of


def errors(
    code: Annotated[str | None, typer.Argument(metavar="CODE", help="Such as TS-301; without one, list all.")] = None,
    as_json: Json = False,
) -> None:
    """Show what an error code means, who acts, and what to do."""
    if code is None:
        lines = (f"{each.code.value}  {each.title}" for each in CATALOGUE.values())
        show("errors", [asdict(each) for each in CATALOGUE.values()], lines, as_json=as_json)
    elif found := entry_of(code.upper()):
        show("errors", asdict(found), _lines(found), as_json=as_json)
    else:
        near = get_close_matches(code.upper(), [each.value for each in CATALOGUE], 1)
        fail(f"there is no code {code}" + "".join(f"; did you mean {one}?" for one in near))


def _lines(found: ErrorEntry) -> Iterator[str]:
    yield from entry(
        f"{found.code.value}  {found.title}",
        [
            ("means", found.meaning),
            ("tried again by itself", "yes" if found.retryable else "no"),
            ("who acts", found.who_acts),
            ("what to do", found.what_to_do),
        ],
    )
