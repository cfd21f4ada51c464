"""The query of `GET /tool` and `GET /assistant`: a limit and eight date filters, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from vapi_sandbox.clock import ceil_ms, floor_ms, parse_iso_us
from vapi_sandbox.store import Window

LIMIT_DEFAULT = 100
LIMIT_MAX = 1000


def _after(microseconds: int) -> int:
    return floor_ms(microseconds) + 1


# The field of Window that a filter bounds, and how its microsecond becomes a bound in milliseconds.
# Stored times are whole milliseconds m: m > x is m >= _after(x), m >= x is m >= ceil(x); "until" bounds are exclusive.
_BOUNDS: dict[str, tuple[str, Callable[[int], int]]] = {
    "createdAtGt": ("created_from", _after),
    "createdAtGe": ("created_from", ceil_ms),
    "createdAtLt": ("created_until", ceil_ms),
    "createdAtLe": ("created_until", _after),
    "updatedAtGt": ("updated_from", _after),
    "updatedAtGe": ("updated_from", ceil_ms),
    "updatedAtLt": ("updated_until", ceil_ms),
    "updatedAtLe": ("updated_until", _after),
}


@dataclass(frozen=True, slots=True)
class Query:
    """What a list asks for."""

    window: Window
    limit: int


_EVERYTHING = Query(Window(), LIMIT_DEFAULT)


def parse(query_string: str) -> Query | list[str]:
    """Read a query string; a list of sentences where it is refused.

    `10` and `10.0` are both a limit, as the official SDK sends numbers as floats; a filter given twice is a pair of
    bounds, and the narrower one counts.
    """
    if not query_string:
        return _EVERYTHING
    problems: list[str] = []
    bounds: dict[str, int] = {}
    limit = LIMIT_DEFAULT
    for name, value in parse_qsl(query_string, keep_blank_values=True):
        if name == "limit":
            limit = _limit(value, problems)
        elif name not in _BOUNDS:
            problems.append(f"property {name} should not exist")
        else:
            field, to_ms = _BOUNDS[name]
            moment = parse_iso_us(value)
            if moment is None:
                problems.append(f"{name} must be a valid ISO 8601 date string")
                continue
            narrower = max if field.endswith("from") else min
            bounds[field] = narrower(bounds.get(field, to_ms(moment)), to_ms(moment))
    return problems or Query(Window(**bounds), limit)


def _limit(value: str, problems: list[str]) -> int:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not number.is_integer():
        problems.append("limit must be a number conforming to the specified constraints")
        return 0
    if number > LIMIT_MAX:
        problems.append(f"limit must not be greater than {LIMIT_MAX}")
    if number < 0:
        problems.append("limit must not be less than 0")
    return int(number)
