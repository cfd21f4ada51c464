"""`values.schema.json` of the chart, made from the settings: Helm refuses a name that no service reads, a secret in
clear, and values that lack what a service needs, before anything is sent to a cluster.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from pydantic_settings import BaseSettings

from devstack.compose_settings import Kinds, apart
from zerotouch_contracts.kafka.security import NAMES as KAFKA

Schema = dict[str, Any]

OF_THE_IMAGE: Final = frozenset({"HOST", "PORT"})
"""The image sets them, and the chart relies on it."""
OTLP_CERTIFICATE: Final = "OTEL_EXPORTER_OTLP_CERTIFICATE"
KEYS_OF_TOKENS: Final = ("JWT_JWKS_URL", "JWT_JWKS_FILE", "JWT_PUBLIC_KEY")
"""One of them has to be given; the settings check that it is one."""
_TEXT: Final[Schema] = {"type": "string"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 1}
_SWITCH: Final[Schema] = {"type": "boolean"}
_ANY: Final[Schema] = {"type": "object"}
_LIST: Final[Schema] = {"type": "array"}
_FROM: Final[Schema] = {
    "type": "object",
    "required": ["name", "key"],
    "properties": {"name": {"type": "string", "minLength": 1}, "key": {"type": "string", "minLength": 1}},
    "additionalProperties": False,
}
LIBPQ: Final = ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGSSLMODE", "PGSSLROOTCERT")


def chart_schema(kinds: Kinds) -> str:
    """The schema, as the file has it; the settings of each service by its part of the values."""
    names = {part: frozenset(map(str.upper, kind.model_fields)) - OF_THE_IMAGE for part, kind in kinds.items()}
    secret = frozenset(
        name.upper()
        for kind in kinds.values()
        for name, field in kind.model_fields.items()
        if "SecretStr" in str(field.annotation)
    ) | {name for name in KAFKA if name.endswith("PASSWORD")}
    more = {*KAFKA, OTLP_CERTIFICATE}
    shared = frozenset.intersection(*names.values()) - apart(kinds) | more
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart; made by `python -m devstack.pages` from the settings of both services",
        **_closed(
            settings=_variables(shared - secret),
            secrets=_references(shared),
            **{part: _service(names[part] | more, secret) for part in kinds},
            image=_closed(registry={"type": "string", "pattern": "^(.*/)?$"}, tag=_TEXT, pullPolicy=_TEXT),
            imagePullSecrets=_LIST,
            topics=_closed(enabled=_SWITCH, secrets=_references(KAFKA), partitions=_COUNT, replicationFactor=_COUNT),
            podDisruptionBudget=_closed(maxUnavailable={"type": ["integer", "string"]}),
            networkPolicy=_closed(enabled=_SWITCH, **{"from": _LIST}, egressPorts=_LIST),
            autoscaling=_closed(enabled=_SWITCH, maxReplicas=_COUNT, lagThreshold=_COUNT, authentication=_TEXT),
            serviceMonitor=_closed(enabled=_SWITCH, labels=_ANY),
            backup=_closed(enabled=_SWITCH, schedule=_TEXT, image=_TEXT, claim=_TEXT, secrets=_references(LIBPQ)),
            **{"global": _ANY},
        ),
        "allOf": [rule for part, kind in kinds.items() for rule in _needed(part, kind)],
    }
    return json.dumps(schema, indent=2) + "\n"


def _closed(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _variables(names: frozenset[str]) -> Schema:
    value = {"type": ["string", "number", "boolean"]}
    return {"type": "object", "propertyNames": {"enum": sorted(names)}, "additionalProperties": value}


def _references(names: Iterable[str]) -> Schema:
    return {"type": "object", "propertyNames": {"enum": sorted(names)}, "additionalProperties": _FROM}


def _service(names: frozenset[str], secret: frozenset[str]) -> Schema:
    return _closed(
        replicas=_COUNT,
        settings=_variables(names - secret),
        secrets=_references(names),
        migrateSecrets={**_references(("MIGRATE_DATABASE_URL",)), "required": ["MIGRATE_DATABASE_URL"]},
        resources=_ANY,
        podAnnotations=_ANY,
        volumes=_LIST,
        volumeMounts=_LIST,
    )


def _needed(part: str, kind: type[BaseSettings]) -> Iterator[Schema]:
    for field, about in kind.model_fields.items():
        if about.is_required():
            yield _given(part, field.upper())
    yield _given(part, *KEYS_OF_TOKENS)


def _given(part: str, *names: str) -> Schema:
    """One of the names is there: of both services or of this one, in clear or by reference."""
    places = [(), (part,)]
    return {
        "anyOf": [
            _within([*place, kept], name) for name in names for place in places for kept in ("settings", "secrets")
        ]
    }


def _within(path: list[str], name: str) -> Schema:
    if not path:
        return {"required": [name]}
    return {"properties": {path[0]: _within(path[1:], name)}, "required": [path[0]]}
