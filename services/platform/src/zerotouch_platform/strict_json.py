"""JSON as it is defined: UTF-8, no key twice, no number that JSON has not; and no more values than a caller allows."""

import json
from typing import Final, NoReturn

_SEPARATORS: Final = (b",", b"[", b"{")


def parse_json(raw: bytes, *, line_breaks_in_text: bool = False, values_max: int | None = None) -> object:
    """Raises ``ValueError`` or ``RecursionError``, whose words repeat what was sent: tell them to nobody.

    ``line_breaks_in_text``: also those that JSON wants escaped, as language models write them. They can mean one thing
    only. ``values_max``: refuse more values than this before any is made; small ones cost a hundred times their bytes.
    """
    if values_max is not None and has_more_values(raw, values_max):
        raise ValueError(f"more than {values_max} values")
    return json.loads(
        raw.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant, strict=not line_breaks_in_text
    )


def has_more_values(raw: bytes, values_max: int) -> bool:
    """Whether a JSON text has more values than this, reckoned by what separates and begins them."""
    if _separators(raw) <= values_max:  # most, also with those in its texts
        return False
    # Each text has a separator before it, or is the value of a key that has one. Not by an expression, which takes
    # 0.3 s for the million empty texts that fit into a webhook.
    if raw.count(b'"') - raw.count(b'\\"') > _quotes_max(values_max):
        return True
    plain = raw.replace(b"\\\\", b"").replace(b'\\"', b"")  # each quote that is left begins or ends a text
    return plain.count(b'"') > _quotes_max(values_max) or _separators(b"".join(plain.split(b'"')[::2])) > values_max


def _quotes_max(values_max: int) -> int:
    return 4 * values_max + 2


def _separators(raw: bytes) -> int:
    return sum(map(raw.count, _SEPARATORS))


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is repeated")
    return made


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
