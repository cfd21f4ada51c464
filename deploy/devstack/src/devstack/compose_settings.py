"""What Compose hands to both services of their settings, and what `.env.example` says of it: made from the settings.

The compose file gives some settings by hand (addresses in its networks, what make_env.py fills in). All others stand in
a part of it that is made: empty in `.env`, so that each has its default. A name that both services have with one
default is one variable; with two defaults it is two, each with its service before it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

ABOUT_THE_IMAGE: Final = frozenset({"HOST", "LOG_FILE", "LOG_SIGNING_KEY_FILE", "JWT_JWKS_FILE"})
"""Addresses and files inside a container: its image knows them."""
_BEGIN: Final = "# --- made by `python -m devstack.pages` from the settings of both services"
_END: Final = "# --- until here"
_BY_HAND: Final = re.compile(r"^ +([A-Z][A-Z0-9_]+):", re.MULTILINE)
_WIDTH: Final = 120

Kinds = Mapping[str, type[BaseSettings]]
"""The settings of each service, by its name."""
Described = Callable[[type[BaseSettings]], Mapping[str, str]]
Default = Callable[[FieldInfo], str]


def with_part(text: str, lines: Iterator[str]) -> str:
    """The text with the made part anew. Raises ``ValueError`` where it has none."""
    before, _, rest = text.partition(_BEGIN + "\n")
    _, found, after = rest.partition(_END + "\n")
    if not found:
        raise ValueError(f"there is no line {_BEGIN!r} with {_END!r} after it")
    return "\n".join([f"{before}{_BEGIN}", *lines, f"{_END}\n{after}"])


def by_hand(compose: str) -> frozenset[str]:
    """The variables that the compose file gives outside of its made part."""
    before, _, rest = compose.partition(_BEGIN)
    return frozenset(_BY_HAND.findall(before + rest.partition(_END)[2]))


def variables(kinds: Kinds, given: frozenset[str]) -> Mapping[str, Mapping[str, str]]:
    """By service: each setting that is not given by hand, and the variable of `.env` that it comes from."""
    different = apart(kinds)
    return {
        service: {
            name: f"{service.replace('-', '_')}_{name}".upper() if name in different else name
            for name in map(str.upper, kind.model_fields)
            if name not in given | ABOUT_THE_IMAGE
        }
        for service, kind in kinds.items()
    }


def apart(kinds: Kinds) -> frozenset[str]:
    """The variables that both services have, with two defaults: one value for both would be wrong for one of them."""
    first, second = kinds.values()
    return frozenset(
        name.upper()
        for name in first.model_fields.keys() & second.model_fields.keys()
        if _default(first, name) != _default(second, name)
    )


def compose_part(kinds: Kinds, given: frozenset[str]) -> Iterator[str]:
    """An anchor for each service, which its `environment` merges."""
    for service, names in variables(kinds, given).items():
        yield f"x-{service}-settings: &{service}-settings"
        yield from (f"  {name}: ${{{variable}:-}}" for name, variable in names.items())


def example_part(kinds: Kinds, given: frozenset[str], described: Described, default: Default) -> Iterator[str]:
    """Each variable once, empty, with what it is and its default."""
    seen: set[str] = set()
    for service, names in variables(kinds, given).items():
        kind = kinds[service]
        for name, variable in names.items():
            if variable not in seen:
                seen.add(variable)
                field = name.lower()
                says = f"{default(kind.model_fields[field]).strip('`')}. {described(kind)[field]}"
                yield from _wrapped(says)
                yield f"{variable}="


def _wrapped(text: str) -> Iterator[str]:
    line = "#"
    for word in text.split():
        if len(line) + 1 + len(word) > _WIDTH:
            yield line
            line = "#"
        line += f" {word}"
    yield line


def _default(kind: type[BaseSettings], name: str) -> object:
    return kind.model_fields[name].get_default(call_default_factory=True)
