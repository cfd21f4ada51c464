"""The golden examples as records."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

CONTRACTS = Path(__file__).resolve().parents[3] / "contracts"

EXAMPLES = sorted((CONTRACTS / "examples").glob("*.json"))


@dataclass(frozen=True, slots=True)
class Golden:
    """One example: the record as it lies in a topic."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    body: dict[str, Any]

    def with_header(self, name: str, raw: bytes | None) -> "list[tuple[str, bytes | None]]":
        """The headers with one of them replaced or, where ``raw`` is None, without a value."""
        return [(key, raw if key == name else kept) for key, kept in self.headers]

    def with_body(self, **fields: Any) -> "Golden":
        """The record with some fields of its body changed."""
        body = {**self.body, **fields}
        return replace(self, body=body, value=json.dumps(body).encode())


def golden(name: str) -> Golden:
    """An example by its message's name, or by ``<name>.v1.<variant>`` where fields that came later are in it."""
    file = f"{name}.json" if ".v1." in name else f"{name}.v1.json"
    document = json.loads((CONTRACTS / "examples" / file).read_text(encoding="utf-8"))
    return Golden(
        topic=document["topic"],
        key=document["key"].encode(),
        value=json.dumps(document["value"], separators=(",", ":"), ensure_ascii=False).encode(),
        headers=tuple((name, value.encode()) for name, value in document["headers"].items()),
        body=document["value"],
    )
