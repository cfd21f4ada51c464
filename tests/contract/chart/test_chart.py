"""The chart, as far as it can be checked without a cluster: by itself, then by Helm and kubeconform where they are."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic_settings import BaseSettings

from assistant_api.settings import Settings as AssistantApiSettings
from assistant_api.settings.commands import MigrateSettings
from devstack import tokens
from tool_sync.settings import Settings as ToolSyncSettings

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy/helm/zerotouch"
EXAMPLES = ("minimal", "production")
KINDS: dict[str, type[BaseSettings]] = {"assistantApi": AssistantApiSettings, "toolSync": ToolSyncSettings}
TITLES = {"assistantApi": "assistant-api", "toolSync": "tool-sync"}
TEMPLATES = {path.name: path.read_text() for path in CHART.glob("templates/**/*") if path.is_file()}
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zerotouch"
KUBERNETES = re.findall(r"KUBERNETES=(v([\d.]+))", (ROOT / "deploy/helm/tools.sh").read_text())[0]
BY_OTHERS = ("ScaledObject", "ServiceMonitor")
"""KEDA's and the Prometheus operator's; no schema of theirs is here."""

Values = dict[str, Any]


def merged(values: Values, more: Values) -> Values:
    """As Helm lays one file of values over another."""
    found = {**values}
    for name, value in more.items():
        both = isinstance(value, dict) and isinstance(found.get(name), dict)
        found[name] = merged(found[name], value) if both else value
    return found


def example(name: str) -> Values:
    """All values of an installation with one of the examples."""
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    return merged(defaults, yaml.safe_load((CHART / f"examples/{name}.yaml").read_text()))


def given(values: Values, part: str) -> dict[str, str]:
    """The variables of a service; what comes from a secret is something that has its form."""
    forms = {"DATABASE_URL": "postgresql://user:password@db/one", "CONSOLE_KEY": "A" * 43 + "="}
    settings = {**values["settings"], **values[part]["settings"]}
    references = {**values["secrets"], **values[part]["secrets"]}
    forms["LOG_SIGNING_KEY"] = tokens.new_signer().private_key
    return {name: str(value) for name, value in settings.items()} | {
        name: forms.get(name, "something-long-enough") for name in references
    }


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_are_what_the_schema_takes(name: str) -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(example(name), SCHEMA, jsonschema.Draft7Validator)


@pytest.mark.parametrize("part", KINDS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_service_starts_with_what_an_example_gives_it(name: str, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in {*os.environ} & {field.upper() for field in KINDS[part].model_fields}:
        monkeypatch.delenv(variable)
    for variable, value in given(example(name), part).items():
        monkeypatch.setenv(variable, value)
    KINDS[part]()  # with everything that is wrong named, where something is


def refused() -> Iterator[tuple[str, Values]]:
    """Values that each have one fault, and what it is."""
    good = example("minimal")
    yield "a name that no service reads", merged(good, {"settings": {"VAPI_BASEURL": "https://api.vapi.ai"}})
    yield "the other service's", merged(good, {"assistantApi": {"settings": {"TOOL_SERVER_URL": "https://a.b"}}})
    yield "one value for two defaults", merged(good, {"settings": {"VAPI_RATE_SHARE": 0.5}})
    yield "a port that the chart knows of", merged(good, {"toolSync": {"settings": {"PORT": 8080}}})
    yield "a secret in clear", merged(good, {"assistantApi": {"settings": {"VAPI_API_KEY": "key"}}})
    yield "a password in clear", merged(good, {"settings": {"KAFKA_SASL_PASSWORD": "key"}})
    yield "a reference to no key", merged(good, {"secrets": {"VAPI_API_KEY": {"name": "vapi", "key": ""}}})
    yield "a part that is not there", merged(good, {"autoscale": {"enabled": True}})
    for part, kind in KINDS.items():
        for field in (name.upper() for name, about in kind.model_fields.items() if about.is_required()):
            lacking = deepcopy(good)
            for place in (lacking, lacking[part]):
                place["settings"].pop(field, None)
                place["secrets"].pop(field, None)
            yield f"{part} without {field}", lacking
    lacking = deepcopy(good)
    del lacking["settings"]["JWT_JWKS_URL"]
    yield "no key of tokens", lacking
    lacking = deepcopy(good)
    del lacking["toolSync"]["migrateSecrets"]["MIGRATE_DATABASE_URL"]
    yield "no owner to migrate as", lacking


@pytest.mark.parametrize("values", [values for _, values in refused()], ids=[fault for fault, _ in refused()])
def test_values_that_lack_something_or_have_too_much_are_refused(values: Values) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, SCHEMA, jsonschema.Draft7Validator)


def test_variables_come_from_values_alone() -> None:
    """No template writes a variable by hand, so the schema sees all of them."""
    helper = TEMPLATES["_helpers.tpl"].split('{{- define "zerotouch.env" -}}')[1].split("{{- end }}\n\n")[0]
    assert helper.count("- {name:") == 2
    for name, text in TEMPLATES.items():
        assert "secretKeyRef" not in text.replace(helper, ""), name
        assert all(
            line.strip().startswith('{{- include "zerotouch.env"') for line in re.findall(r"env:\n(.*)", text)
        ), name


def test_ports_images_and_paths_are_those_of_the_code() -> None:
    dockerfile = (ROOT / "deploy/images/Dockerfile").read_text()
    services = yaml.safe_load(
        "\n".join(re.findall(r"^- \{name: .*\}$", TEMPLATES["_helpers.tpl"].split("{{- end }}")[0], re.MULTILINE))
    )
    assert {(one["name"], one["values"]) for one in services} == {(title, part) for part, title in TITLES.items()}
    for one in services:
        target = dockerfile.split(f" AS {one['name']}\n")[1].split("\nFROM ")[0]
        assert f"EXPOSE {one['port']}" in target
        assert KINDS[one["values"]].model_fields["port"].default == one["port"]
    assert "zerotouch/{{ .name }}:" in TEMPLATES["_helpers.tpl"]
    user = re.findall(r"--uid (\d+)", dockerfile)[0]
    assert f"runAsUser: {user}" in TEMPLATES["_helpers.tpl"]
    assert "COPY images/create_topics.py /usr/local/bin/create-topics" in dockerfile
    assert "command: [create-topics]" in TEMPLATES["jobs.yaml"]
    served = set(re.findall(r"path: (/[a-z]+)", "".join(TEMPLATES.values())))
    assert served == {"/livez", "/metrics"}
    for title in TITLES.values():
        sources = "".join(path.read_text() for path in (ROOT / f"services/{title}/src").rglob("*.py"))
        assert all(f'"{path}"' in sources for path in (*served, "/readyz")), title


def test_what_scales_counts_on_what_the_services_are_called() -> None:
    scaled = TEMPLATES["scaledobject.yaml"]
    fields = ToolSyncSettings.model_fields
    assert f'default "{fields["consumer_group"].default}"' in scaled
    assert f'default "{fields["assistants_topic"].default}"' in scaled


def test_the_chart_has_the_scripts_of_a_backup() -> None:
    assert (CHART / "files/backup").resolve() == ROOT / "deploy/backup"


def test_the_migration_is_told_what_it_reads() -> None:
    required = {name.upper() for name, field in MigrateSettings.model_fields.items() if field.is_required()}
    assert required == set(example("production")["assistantApi"]["migrateSecrets"])


# --- by Helm ---------------------------------------------------------------------------------------------------------


def tool(name: str) -> str:
    """A program from the path, or as deploy/helm/tools.sh has built it."""
    found = shutil.which(name) or shutil.which(CACHE / name)
    if found is None:
        pytest.skip(f"NOT RUN: there is no {name}; deploy/helm/tools.sh builds it where Go is")
    return found


def rendered(name: str, *more: str) -> list[dict[str, Any]]:
    """What Helm sends to a cluster."""
    command = [tool("helm"), "template", "zerotouch", str(CHART), "--kube-version", KUBERNETES[1]]
    done = subprocess.run(
        [*command, "-f", str(CHART / f"examples/{name}.yaml"), *more], check=True, capture_output=True, text=True
    )
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def pods(documents: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every pod that comes of them, by the name of what makes it."""
    for document in documents:
        spec = document.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if document["kind"] == "Pod" or "template" in spec:
            yield document["metadata"]["name"], spec["template"]["spec"] if "template" in spec else spec


@pytest.mark.parametrize("name", EXAMPLES)
def test_helm_finds_no_fault_and_kubernetes_knows_every_field(name: str) -> None:
    values = str(CHART / f"examples/{name}.yaml")
    subprocess.run([tool("helm"), "lint", "--strict", str(CHART), "-f", values], check=True)
    documents = rendered(name)
    folder = CACHE / f"kubernetes-{KUBERNETES[0]}"
    kubeconform = tool("kubeconform")
    if not folder.exists():
        pytest.skip("NOT RUN: there are no schemas of Kubernetes; deploy/helm/tools.sh makes them")
    done = subprocess.run(
        [kubeconform, "-strict", "-output", "json", "-skip", ",".join(BY_OTHERS),
         "-schema-location", f"{folder}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"],
        input=yaml.safe_dump_all(documents), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_pod_may_nothing_but_its_work(name: str) -> None:
    found = dict(pods(rendered(name)))
    assert len(found) == (6 if name == "minimal" else 7)
    for title, spec in found.items():
        assert spec["securityContext"]["runAsNonRoot"], title
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, title
        assert spec["automountServiceAccountToken"] is False, title
        assert spec["enableServiceLinks"] is False, title
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, title
            assert container["resources"]["requests"], title
            assert container["resources"]["limits"]["memory"], title


@pytest.mark.parametrize("part", KINDS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_container_gets_what_the_values_say(name: str, part: str) -> None:
    title = f"zerotouch-{TITLES[part]}"
    (container,) = dict(pods(rendered(name)))[title]["containers"]
    values = example(name)
    variables = {one["name"]: one for one in container["env"]}
    assert len(variables) == len(container["env"]), "each once"
    assert set(variables) == set(given(values, part))
    for variable, value in {**values["settings"], **values[part]["settings"]}.items():
        assert variables[variable]["value"] == str(value), "as the service reads it: no number in another form"
    for variable, reference in {**values["secrets"], **values[part]["secrets"]}.items():
        assert variables[variable]["valueFrom"] == {"secretKeyRef": reference}


def test_topics_are_made_by_who_may() -> None:
    (container,) = dict(pods(rendered("production")))["zerotouch-topics"]["containers"]
    variables = {one["name"]: one for one in container["env"]}
    assert set(variables) == {
        "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_SECURITY_PROTOCOL", "KAFKA_SSL_CA_FILE",
        "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD",
    }  # fmt: skip
    assert variables["KAFKA_SASL_USERNAME"]["valueFrom"]["secretKeyRef"]["name"] == "kafka-admin"
    assert container["args"] == ["--partitions", "12", "--replication-factor", "3"]


def test_a_large_number_is_written_out(tmp_path: Path) -> None:
    """Helm keeps a file's numbers as floats, and would write this one as 1.34217728e+08."""
    (tmp_path / "more.yaml").write_text("settings: {LIMIT_PLATFORM_BYTES_PER_SECOND: 134217728}")
    documents = rendered("minimal", "-f", str(tmp_path / "more.yaml"))
    for title in TITLES.values():
        (container,) = dict(pods(documents))[f"zerotouch-{title}"]["containers"]
        assert {"name": "LIMIT_PLATFORM_BYTES_PER_SECOND", "value": "134217728"} in container["env"]


def test_what_asks_the_services_finds_them() -> None:
    documents = rendered("production")
    labels = {
        document["metadata"]["name"]: document["spec"]["template"]["metadata"]["labels"]
        for document in documents
        if document["kind"] == "Deployment"
    }
    for document in documents:
        name, spec = document["metadata"]["name"], document.get("spec", {})
        match document["kind"]:
            case "Service":
                selector = spec["selector"]
            case "PodDisruptionBudget":
                selector = spec["selector"]["matchLabels"]
            case "NetworkPolicy":
                selector = spec["podSelector"]["matchLabels"]
            case "ScaledObject":
                assert spec["scaleTargetRef"]["name"] in labels
                continue
            case "ServiceMonitor":
                wanted = spec["selector"]["matchLabels"].items()
                services = [one for one in documents if one["kind"] == "Service"]
                assert all(wanted <= one["metadata"]["labels"].items() for one in services)
                continue
            case _:
                continue
        assert [one for one in labels if selector.items() <= labels[one].items()] == [name]
