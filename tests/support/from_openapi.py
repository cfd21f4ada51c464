"""Requests made from an OpenAPI document, good and bad ones, and whether the answers are those that it promises.

A small generator of our own: the documents use a small part of JSON Schema, and a seed gives the same requests again.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

import jsonschema
from tests.support.asgi import Answer

HEALTH: Final = ("/livez", "/readyz")
"""The only ones that may say 503 of a service that works: for something else that it needs."""
METHODS: Final = ("get", "put", "post", "patch", "delete")
ODD: Final = (
    "", " ", "0", "-1", "a" * 70, "\x00", "é", "\U0001f600", "null", "true", "1e9", "9" * 30, "../x", "%", "2026-13-01",
    "{{x}}", "'", "9223372036854775808", "0001-01-01T00:00:00+14:00",
)  # fmt: skip
ODD_JSON: Final[tuple[Any, ...]] = (*ODD, None, True, 0, -1, 2**63, 1.5, [], {}, [[]], {"a": 1}, "\ud800")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a document; ``known`` are values by name of parameter or property that mean something."""

    document: Mapping[str, Any]
    path: str
    method: str
    known: Mapping[str, tuple[Any, ...]]

    @property
    def spec(self) -> Mapping[str, Any]:
        spec: Mapping[str, Any] = self.document["paths"][self.path][self.method]
        return spec

    def request(self, random: Random) -> tuple[str, dict[str, str], bytes | None]:
        """Target, headers and body. About half of them have something odd in them."""
        path, query, headers = self.path, [], dict[str, str]()
        for parameter in self.spec.get("parameters", ()):
            name, place = parameter["name"], parameter["in"]
            if not parameter.get("required") and random.random() < 0.4:
                continue
            value = self._value(name, parameter["schema"], random, 6)
            text = value if isinstance(value, str) else json.dumps(value)
            if place == "path":
                path = path.replace(f"{{{name}}}", quote(text.encode(errors="replace"), safe="") or "x")
            elif place == "query":
                query.append(f"{name}={quote(text.encode(errors='replace'), safe='')}")
            else:
                headers[name] = re.sub(r"[^\x20-\x7e]", "?", text)[:200]
        target = "?".join([path, "&".join(query)]).rstrip("?")
        return target, headers, self._body(random)

    def _body(self, random: Random) -> bytes | None:
        body = self.spec.get("requestBody")
        if body is None:
            return None
        if random.random() < 0.08:
            return random.choice([b"", b"{", b"[]", b"null", b"\xff"])
        return json.dumps(self._value("", body["content"]["application/json"]["schema"], random, 6)).encode()

    def _value(self, name: str, schema: Mapping[str, Any], random: Random, depth: int) -> Any:
        if random.random() < 0.12:
            return random.choice(ODD_JSON)
        if name in self.known and random.random() < 0.8:
            return random.choice(self.known[name])
        schema = self.resolved(schema)
        for several in ("anyOf", "oneOf"):
            if several in schema:
                return self._value(name, random.choice(schema[several]), random, depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return random.choice(schema["enum"])
        return self._of_type(schema, random, depth)

    def _of_type(self, schema: Mapping[str, Any], random: Random, depth: int) -> Any:
        match schema.get("type"):
            case "integer" | "number":
                least, most = schema.get("minimum", -2), schema.get("maximum", 50)
                return random.choice([least, most, min(least + 1, most), least - 1, most + 1])
            case "boolean":
                return random.random() < 0.5
            case "null":
                return None
            case "array":
                items = schema.get("items") or (schema.get("prefixItems") or [{}])[0]
                return [self._value("", items, random, depth - 1) for _ in range(random.randint(0, 2) if depth else 0)]
            case "object":
                return self._object(schema, random, depth)
            case _:
                return self._text(schema, random)

    def _object(self, schema: Mapping[str, Any], random: Random, depth: int) -> Json:
        required, made = set(schema.get("required", ())), Json()
        for key, inner in schema.get("properties", {}).items():
            if depth and (key in required or random.random() < 0.5):
                made[key] = self._value(key, inner, random, depth - 1)
        if random.random() < 0.05:
            made["surplus"] = 1
        return made

    @staticmethod
    def _text(schema: Mapping[str, Any], random: Random) -> str:
        match schema.get("format"):
            case "uuid":
                return str(UUID(int=random.getrandbits(128), version=4))
            case "date-time":
                return random.choice(["2026-12-03T10:00:00Z", "1999-01-01T00:00:00+02:00", "9999-12-31T23:59:59Z"])
        return random.choice(["a", "word", "22:00-06:00", "Europe/Berlin", "x" * (schema.get("maxLength") or 5), "1"])

    def resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """A schema without a reference at its top."""
        while "$ref" in schema:
            found: Any = self.document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            schema = found
        return schema

    def broken_promise(self, answer: Answer) -> str | None:
        """What the document does not say of an answer; None where all is as it says."""
        if answer.failed is not None or (answer.status >= 500 and self.path not in HEALTH):
            return f"{answer.status} {answer.failed!r} {answer.body[:200]!r}"
        responses = self.spec["responses"]
        promised = responses.get(str(answer.status), responses.get("default"))
        if promised is None:
            return f"{answer.status} is not documented: {answer.body[:200]!r}"
        content = promised.get("content", {})
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if kind not in content:
            return f"{answer.status} has {kind!r}, documented are {sorted(content)}" if answer.body or content else None
        if not kind.endswith("json"):
            return None
        schema = {**content[kind].get("schema", {}), "components": self.document.get("components", {})}
        error = next(jsonschema.Draft202012Validator(schema).iter_errors(json.loads(answer.body)), None)
        return None if error is None else f"{answer.status}: {error.message[:200]} at {list(error.absolute_path)}"


def operations(document: Mapping[str, Any], known: Mapping[str, tuple[Any, ...]]) -> Iterator[Operation]:
    """All of a document."""
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                yield Operation(document, path, method, known)
