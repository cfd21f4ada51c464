"""Between an event class and what the log stores: a type name, a schema number and JSON.

The type name is the class's name. All schemas are 1 until a class changes its shape; then the old shape's upcaster,
which turns a stored document of schema n into one of schema n + 1, is entered here and stays for ever.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from tool_sync.domain.events import Event

Document = dict[str, Any]
Upcaster = Callable[[Document], Document]


class UnknownEvent(Exception):
    """The event at ``position`` cannot be read by this release. Stop there; never skip it."""

    def __init__(self, position: int, type_name: str, schema: int, reason: str) -> None:
        super().__init__(f"position {position}: {type_name} schema {schema}: {reason}")
        self.position = position
        self.type_name = type_name
        self.schema = schema
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Encoded:
    """An event as the log stores it."""

    type_name: str
    schema: int
    data: str


SCHEMAS: Mapping[str, int] = {cls.__name__: 1 for cls in get_args(Event)}
UPCASTERS: Mapping[tuple[str, int], Upcaster] = {}

_ADAPTERS: Mapping[str, TypeAdapter[Event]] = {cls.__name__: TypeAdapter(cls) for cls in get_args(Event)}


def encode(event: Event) -> Encoded:
    """Raises `pydantic_core.PydanticSerializationError` for text that is no Unicode (a lone surrogate)."""
    name = type(event).__name__
    return Encoded(name, SCHEMAS[name], _ADAPTERS[name].dump_json(event).decode())


def decode(position: int, type_name: str, schema: int, data: str) -> Event:
    """Reads a stored event; ``position`` is for the error. Raises `UnknownEvent`."""
    adapter = _ADAPTERS.get(type_name)
    if adapter is None:
        raise UnknownEvent(position, type_name, schema, "this release does not know the type")
    if schema != SCHEMAS[type_name]:
        data = _upcast(position, type_name, schema, data)
    try:
        return adapter.validate_json(data, strict=True)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, e["loc"])) + ": " + e["type"] for e in error.errors(include_input=False))
        raise UnknownEvent(position, type_name, schema, f"the data does not fit: {fields}") from None


def _upcast(position: int, type_name: str, schema: int, data: str) -> str:
    document: Document = from_json(data)
    for number in range(schema, SCHEMAS[type_name]):
        upcaster = UPCASTERS.get((type_name, number))
        if upcaster is None:
            raise UnknownEvent(position, type_name, schema, f"there is no upcaster from schema {number}")
        document = upcaster(document)
    if schema > SCHEMAS[type_name]:
        raise UnknownEvent(position, type_name, schema, f"this release knows schemas up to {SCHEMAS[type_name]}")
    return to_json(document).decode()
