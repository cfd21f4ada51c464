"""What a model would send by a version's parameters schema, likely enough that the handler comes far with it. Pure."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from tool_sync.publishing.examples import examples_of

DAYS_AHEAD: Final = 7
"""No day of the past, and one that most calendars have open."""


def likely_arguments(schema: Mapping[str, Any], today: date) -> dict[str, Any]:
    """Values for every property. Raises what :func:`~tool_sync.publishing.examples.examples_of` raises.

    A value that its name suggests, where the property's own schema allows it; else one by the schema alone.
    """
    by_schema = next(examples_of(schema))
    likely = {name: _by_name(name, inner, today) for name, inner in schema["properties"].items()}
    return {name: value if likely[name] is None else likely[name] for name, value in by_schema.items()}


def _by_name(name: str, schema: Mapping[str, Any], today: date) -> str | None:
    if schema.get("type") != "string" or "enum" in schema:
        return None
    words = (
        ("phone", "+49 30 1234567"),
        ("mail", "anna@example.com"),
        ("date", (today + timedelta(days=DAYS_AHEAD)).isoformat()),
        ("time", "10:00"),
        ("name", "Anna Example"),
        ("service", "Check-up"),
    )
    value = next((value for word, value in words if word in name.lower()), None)
    return value if value is not None and _is_allowed(value, schema) else None


def _is_allowed(value: str, schema: Mapping[str, Any]) -> bool:
    if "format" in schema and not (schema["format"] == "date" and value[:1] == "2"):
        return False
    return re.search(schema.get("pattern", ""), value) is not None
