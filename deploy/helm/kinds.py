"""The schemas of Kubernetes' own kinds, for kubeconform, out of the document that Kubernetes' source has of its API.

    python deploy/helm/kinds.py SWAGGER_JSON FOLDER

One file for each kind and version, `deployment-apps-v1.json`, complete in itself and strict: a field that nobody reads
is a fault.
"""

import json
import sys
from pathlib import Path
from typing import Any

KINDS = frozenset({
    "ConfigMap", "CronJob", "Deployment", "Job", "NetworkPolicy", "Pod", "PodDisruptionBudget", "Service",
})  # fmt: skip


def complete(schema: Any, definitions: dict[str, Any]) -> Any:
    """The schema with every reference put in its place, and closed. Our kinds refer to nothing that holds itself."""
    if isinstance(schema, list):
        return [complete(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(name := schema.get("$ref"), str):
        return complete(definitions[name.removeprefix("#/definitions/")], definitions)
    if schema.get("format") == "int-or-string":
        return {"type": ["string", "integer"]}
    found = {key: complete(value, definitions) for key, value in schema.items() if not key.startswith("x-")}
    return {**found, "additionalProperties": False} if isinstance(found.get("properties"), dict) else found


def main() -> None:
    """Write the files."""
    definitions = json.loads(Path(sys.argv[1]).read_text())["definitions"]
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for definition in definitions.values():
        for kind in definition.get("x-kubernetes-group-version-kind", []):
            if kind["kind"] in KINDS and "metadata" in definition.get("properties", {}):
                name = "-".join(part for part in (kind["kind"], kind["group"].split(".")[0], kind["version"]) if part)
                (folder / f"{name.lower()}.json").write_text(json.dumps(complete(definition, definitions)))


if __name__ == "__main__":
    main()
