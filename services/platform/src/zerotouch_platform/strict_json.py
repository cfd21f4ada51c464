"""JSON as it is defined: UTF-8, no key twice, no number that JSON has not."""

import json
from typing import NoReturn


def parse_json(raw: bytes, *, line_breaks_in_text: bool = False) -> object:
    """Raises ``ValueError`` or ``RecursionError``, whose words repeat what was sent: tell them to nobody.

    ``line_breaks_in_text``: also those that JSON wants escaped, as language models write them. They can mean one thing
    only.
    """
    return json.loads(
        raw.decode("utf-8"),
        object_pairs_hook=_object,
        parse_constant=_no_constant,
        strict=not line_breaks_in_text,
    )


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is repeated")
    return made


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
