"""What both services' OpenAPI documents say in the same way: tokens, problems, bodies, and what each field is.

    FastAPI's document ──► whose token is enough      needs, the closed table of each service
                       ──► every status that is sent  one component `Problem`; 429 with its headers
                       ──► bodies as components       so that a generator has names for them
                       ──► what each field is         words, one table of each service: a name means one thing

OpenAPI 3.1 (section 4.8.30, read 2026-11-30) lets a requirement of any scheme name roles: each of the alternatives is
one scope, or the role ``platform``, which every operation takes.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi.routing import APIRoute
from pydantic import BaseModel

from zerotouch_platform.auth import SCOPES, Need, RouteNeed
from zerotouch_platform.limits.middleware import HEALTH
from zerotouch_platform.problems import MEDIA_TYPE

Json = dict[str, Any]
Answers = dict[int | str, Json]

SCHEME: Final = "HTTPBearer"
_DESCRIPTION: Final = (
    "A JWT with the role `platform`, or `org` with `org_id`. The claim `scope` leaves a clinic's token a part of what"
    " its role may; without the claim it has all: "
) + " ".join(f"`{scope}`: {text}" for scope, text in SCOPES.items())

_OF_A_TOKEN: Final = {
    "401": "The token is missing, wrong, expired or taken back.",
    "403": "The token lacks the scope that `scope` names, or the role platform.",
}
_OF_ANY: Final = {
    "404": "There is no such thing for this caller.",
    "422": "The request is not valid.",
    "429": "A limit is reached; `Retry-After` says when to ask again.",
    "500": "A fault of the service, which is logged with this trace.",
    "503": "The service waits for its database, is stopping, or is answering too many already.",
}
_OF_A_BODY: Final = {
    "400": "The body is not a JSON object in UTF-8, or has too many values.",
    "413": "The body is too long.",
    "415": "The body is compressed.",
}
_OF_A_KEY: Final = {
    "409": "It contradicts what is there, or the first request with this `Idempotency-Key` is still being answered."
}
_HEADERS: Final[Mapping[str, Json]] = {
    "401": {"WWW-Authenticate": {"description": "RFC 6750.", "schema": {"type": "string"}}},
    "429": {
        "Retry-After": {"description": "Seconds.", "required": True, "schema": {"type": "integer", "minimum": 1}},
        "RateLimit": {"description": "How the limits stand that have no room.", "schema": {"type": "string"}},
        "RateLimit-Policy": {"description": "What these limits are.", "schema": {"type": "string"}},
    },
}
_PROBLEM: Final[Json] = {
    "title": "Problem",
    "type": "object",
    "description": "RFC 9457. There may be further members, which say more of the same.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "description": "`urn:zerotouch:error:` and the code."},
        "title": {"type": "string", "description": "The code in a few words."},
        "status": {"type": "integer", "description": "The status of the answer."},
        "detail": {"type": "string", "description": "What is wrong with this request, for a person."},
        "code": {"type": "string", "pattern": "^TS-[0-9]{3}$", "description": "Of the catalogue of errors."},
        "errors": {
            "type": "array",
            "description": "What is wrong with which field.",
            "items": {
                "title": "FieldProblem",
                "type": "object",
                "required": ["field", "problem"],
                "properties": {
                    "field": {"type": "string", "description": "The way to it, with dots."},
                    "problem": {"type": "string", "description": "What it must be."},
                },
            },
        },
        "scope": {"type": "string", "description": "The scope that the token lacks."},
        "violated-policies": {
            "type": "array",
            "description": "The limits that are reached, by the names in `RateLimit-Policy`.",
            "items": {"type": "string"},
        },
    },
    "additionalProperties": True,
}
_TRACE: Final = ("Of the server's span for this request.", "Where the trace can be looked at.")


def operation_id(route: APIRoute) -> str:
    """A name for the functions of generated clients; unique within a document by its tag."""
    return f"{route.tags[0]}_{route.name}"


def documented(model: type[BaseModel], example: Json) -> Json:
    """What OpenAPI says of a body that its route reads by itself; the example is one that the model takes."""
    model.model_validate(example)
    schema = model.model_json_schema(by_alias=True, ref_template="#/components/schemas/{model}")
    return documented_object(schema, example)


def documented_object(schema: Json, example: Json) -> Json:
    """The same of a body with another schema; with a ``title`` it is a component of this name."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}


def describe(
    document: Json, needs: Mapping[tuple[str, str], RouteNeed], words: Mapping[str, str], trace: tuple[str, str]
) -> Json:
    """Complete FastAPI's ``document``; ``needs`` are by method and path, ``trace`` names a problem's two members of it.

    ``words`` are by the name of a field or parameter, or by `Schema.field` where one means something of its own.
    """
    components = document.setdefault("components", {})
    schemes = components.setdefault("securitySchemes", {})
    schemes[SCHEME] = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": _DESCRIPTION}
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    traced = {name: {"type": "string", "description": text} for name, text in zip(trace, _TRACE, strict=True)}
    schemas["Problem"] = {**_PROBLEM, "properties": {**_PROBLEM["properties"], **traced}}
    for (method, path), need in needs.items():
        operation = document["paths"].get(path, {}).get(method.lower())
        if operation is None:
            continue
        if need is not Need.NOTHING:
            enough = ["platform"] if isinstance(need, Need) else [str(scope) for scope in need.scopes]
            operation["security"] = [{SCHEME: [name]} for name in enough]
        _hoist(operation, schemas)
        if path not in HEALTH:
            _answers(operation, need)
    for holder, name, found in described_things(document):
        if "description" not in found and (text := words.get(f"{holder}.{name}", words.get(name))) is not None:
            found["description"] = text
    return document


def described_things(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Every field of a component and every parameter: whose it is, its name, and what is said of it."""
    for holder, schema in document["components"]["schemas"].items():
        yield from _fields(holder, schema)
    for methods in document["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                yield operation["operationId"], parameter["name"], parameter


def _fields(holder: str, schema: object) -> Iterator[tuple[str, str, Json]]:
    if isinstance(schema, list):
        for each in schema:
            yield from _fields(holder, each)
    if not isinstance(schema, dict):
        return
    for name, found in schema.get("properties", {}).items():
        yield holder, name, found
        yield from _fields(holder, found)
    for key in ("items", "additionalProperties", "anyOf", "oneOf", "allOf", "prefixItems"):
        yield from _fields(holder, schema.get(key))


def _hoist(operation: Json, schemas: Json) -> None:
    """Make a body's schema a component of its title's name, and its definitions, too."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = content["schema"]
        if "title" not in schema:
            continue
        name = schema["title"]
        for inner, definition in {**schema.pop("$defs", {}), name: schema}.items():
            assert schemas.setdefault(inner, definition) == definition, f"two schemas have the name {inner}"
        content["schema"] = {"$ref": f"#/components/schemas/{name}"}


def _answers(operation: Json, need: RouteNeed) -> None:
    """Every status that may be sent, and the same document for all that are problems."""
    parameters = {parameter["name"].lower() for parameter in operation.get("parameters", ())}
    responses, has_body = operation["responses"], "requestBody" in operation
    for status, text in {
        **(_OF_A_TOKEN if need is not Need.NOTHING else {}),
        **(_OF_A_BODY if has_body else {}),
        **(_OF_A_KEY if "idempotency-key" in parameters else {}),
        **_OF_ANY,
    }.items():
        said = responses.setdefault(status, {"description": text})
        if "HTTPValidationError" in str(said.get("content")):  # FastAPI's own words for a 422
            responses[status] = {"description": text}
    for status, response in responses.items():
        if status >= "4":
            response.setdefault("content", {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}})
            if status in _HEADERS:
                response.setdefault("headers", _HEADERS[status])
    operation["responses"] = dict(sorted(responses.items()))
