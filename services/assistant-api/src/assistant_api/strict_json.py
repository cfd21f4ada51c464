"""JSON as it is defined: UTF-8, no key twice, no number that JSON has not. Bodies and arguments are read by it."""

import json
from typing import NoReturn

from assistant_api.problem import Problem
from zerotouch_contracts.errors import ErrorCode


def read_json(raw: bytes, *, line_breaks_in_text: bool = False) -> object:
    """Bytes as JSON in UTF-8, no key twice and no number that JSON has not; else a 400 problem.

    ``line_breaks_in_text``: also those that JSON wants escaped, as language models write them. They can mean one thing
    only.
    """
    try:
        return json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            strict=not line_breaks_in_text,
        )
    except (ValueError, RecursionError):
        raise Problem(400, ErrorCode.INVALID_REQUEST, "the body is not valid JSON in UTF-8") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is repeated")
    return made


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
