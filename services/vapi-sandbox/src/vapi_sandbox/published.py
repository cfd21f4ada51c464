"""What the published documents say of `model`, `voice` and `transcriber`, compiled from `published.json`.

The three are unions on `provider`. A member has its own fields and no others, with types, ranges and enums; a field
whose own value is a union, or an object with a schema of its own, is not looked into.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vapi_sandbox.checks import Check, Problems, anything, array, boolean, free_object, number, obj, one_of, text

_DOCUMENT: dict[str, Any] = json.loads(Path(__file__).with_name("published.json").read_text(encoding="utf-8"))

SERVER_MESSAGES: tuple[str, ...] = tuple(_DOCUMENT["serverMessages"])
CLIENT_MESSAGES: tuple[str, ...] = tuple(_DOCUMENT["clientMessages"])


def union(part: str, shared: Mapping[str, Check] | None = None) -> Check:
    """Make the check of a union; `shared` are fields of every member that are checked by hand."""
    members = {
        provider: obj(
            {
                "provider": anything,
                **{name: _compiled(rule) for name, rule in member["fields"].items()},
                **(shared or {}),
            },
            required=member["required"],
        )
        for provider, member in _DOCUMENT[part].items()
    }
    provider_is_known = one_of(members, dotted=True)

    def check(value: Any, path: str, problems: Problems) -> None:
        if not isinstance(value, dict):
            problems.append(f"{path[:-1]} must be an object")
            return
        provider = value.get("provider")
        member = members.get(provider) if isinstance(provider, str) else None
        if member is None:
            provider_is_known(provider, f"{path}provider.", problems)
        else:
            member(value, path, problems)

    return check


def _compiled(rule: Mapping[str, Any]) -> Check:
    match rule.get("type"):
        case "string" if "enum" in rule:
            return one_of(rule["enum"])
        case "string":
            return text(longest=rule.get("maxLength"), shortest=rule.get("minLength"))
        case "number":
            return number(rule.get("minimum"), rule.get("maximum"))
        case "boolean":
            return boolean
        case "array":
            return array(_compiled(rule.get("items", {})))
        case "object":
            return free_object
        case _:
            return anything
