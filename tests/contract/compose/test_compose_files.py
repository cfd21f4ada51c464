"""The compose files: what both generations of Compose accept, in the right order, with every setting that is needed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values
from pydantic_settings import BaseSettings

from assistant_api.settings import Settings as AssistantApiSettings
from assistant_api.settings.commands import MigrateSettings
from devstack.compose_settings import ABOUT_THE_IMAGE
from devstack.containers import KAFKA_IMAGE, POSTGRES_IMAGE
from tool_sync.settings import Settings as ToolSyncSettings

from .conftest import load

Services = dict[str, dict[str, Any]]
ROOT = Path(__file__).parents[3]
FILES = ("docker-compose.yml", "docker-compose.live.yml", "docker-compose.observability.yml")
VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)(?:(:?[-?])[^}]*)?\}")
TOP_LEVEL = {"services", "networks", "volumes"}
# Of services: 1.29 does not know the first two, and the others are what the generations treat differently.
FORBIDDEN = {"develop", "provider", "extends", "container_name", "links", "deploy", "env_file"}


@pytest.mark.parametrize("name", FILES)
def test_files_use_only_what_compose_1_29_and_2_accept(name: str) -> None:
    text = (ROOT / name).read_text()
    document = yaml.safe_load(text)
    # Neither name and include, which 1.29 does not know, nor version, which 2 warns about.
    assert {key for key in document if not key.startswith("x-")} <= TOP_LEVEL
    for service, definition in document["services"].items():
        assert FORBIDDEN.isdisjoint(definition), service
    assert "!reset" not in text
    assert "!override" not in text
    # 1.29 knows ${A}, ${A-b}, ${A:-b}, ${A?b}, ${A:?b}; not ${A:+b} and nothing nested.
    assert len(VARIABLE.findall(text)) == text.count("$")


@pytest.mark.parametrize("name", FILES)
def test_the_example_has_every_variable(name: str) -> None:
    example = dict(
        line.split("=", 1) for line in (ROOT / ".env.example").read_text().splitlines() if re.match("[A-Z_]+=", line)
    )
    for variable, rule in VARIABLE.findall((ROOT / name).read_text()):
        assert variable in example, variable
        assert rule in (":?", ":-"), f"{variable}: an empty value in .env must count as none"
    known = {variable for file in FILES for variable, _ in VARIABLE.findall((ROOT / file).read_text())}
    assert set(example) == known, "the example has variables that no file reads"


def test_the_example_has_no_secret_to_be_forgotten_in_production() -> None:
    for line in (ROOT / ".env.example").read_text().splitlines():
        if re.match("[A-Z_]*(PASSWORD|TOKEN|KEY)=", line):
            assert line.partition("=")[2] in ("", '""'), line


@pytest.mark.parametrize(
    ("service", "settings"),
    [
        ("assistant-api", AssistantApiSettings),
        ("tool-sync", ToolSyncSettings),
        ("assistant-api-migrate", MigrateSettings),
    ],
)
def test_every_required_setting_is_given(services: Services, service: str, settings: type[BaseSettings]) -> None:
    required = {name.upper() for name, field in settings.model_fields.items() if field.is_required()}
    given = services[service]["environment"]
    assert required <= set(given)
    assert set(given) <= {name.upper() for name in settings.model_fields}, "a variable that the service does not read"


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(
    ("service", "kind"), [("assistant-api", AssistantApiSettings), ("tool-sync", ToolSyncSettings)]
)
def test_a_service_reads_all_of_its_settings_as_compose_gives_them(
    service: str, kind: type[BaseSettings], live: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = tmp_path / ".env"
    subprocess.run([sys.executable, ROOT / "deploy/compose/make_env.py", "--output", filled], check=True)
    values = {**dotenv_values(filled), "VAPI_API_KEY": "live-key", "TOOL_SERVER_URL": "https://api.example.com/calls"}
    given = dict(load(FILES[0])["services"][service]["environment"])
    if live:
        given |= load("docker-compose.live.yml")["services"][service]["environment"]
    assert fields_of(kind) == set(given) | (ABOUT_THE_IMAGE & fields_of(kind))
    for name in {*os.environ} & fields_of(kind):
        monkeypatch.delenv(name)
    for name, text in given.items():
        monkeypatch.setenv(name, VARIABLE.sub(lambda found: resolved(found, values), text))
    kind()  # with everything that is wrong named, where something is


def fields_of(kind: type[BaseSettings]) -> set[str]:
    return {name.upper() for name in kind.model_fields}


def resolved(found: re.Match[str], values: dict[str, str | None]) -> str:
    """What Compose puts in place of a variable."""
    name, rule = found[1], found[2]
    value = values.get(name) or (found[0].partition(":-")[2].rstrip("}") if rule == ":-" else None)
    assert value is not None, f"{name} is required and not filled in"
    return value


def test_official_images_are_those_of_the_tests(services: Services) -> None:
    images = {name: service["image"].partition("@")[0] for name, service in services.items()}
    assert images["postgres"] == POSTGRES_IMAGE
    assert images["kafka"] == KAFKA_IMAGE
    assert re.fullmatch(r"jaegertracing/jaeger:2\.\d+\.\d+", images["jaeger"])
    assert re.fullmatch(r"otel/opentelemetry-collector-contrib:\d+\.\d+\.\d+", images["otel-collector"])


def test_services_wait_for_topics_and_migrations_and_those_for_their_servers(services: Services) -> None:
    def waits(service: str) -> dict[str, str]:
        return {name: rule["condition"] for name, rule in services[service]["depends_on"].items()}

    done, healthy = "service_completed_successfully", "service_healthy"
    assert waits("topics") == {"kafka": healthy}
    for service in ("assistant-api", "tool-sync"):
        assert waits(f"{service}-migrate") == {"postgres": healthy}
        assert waits(service) == {f"{service}-migrate": done, "topics": done, "vapi-sandbox": healthy}


def test_what_is_waited_for_has_a_check_or_an_end(services: Services) -> None:
    for service in services.values():
        for name, rule in service.get("depends_on", {}).items():
            if rule["condition"] == "service_healthy":
                assert "test" in services[name]["healthcheck"], name
            if rule["condition"] == "service_completed_successfully":
                assert services[name]["restart"] == "no", name


def test_the_broker_creates_no_topic_by_itself_and_keeps_its_data(services: Services) -> None:
    kafka = services["kafka"]
    assert kafka["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert f"kafka-data:{kafka['environment']['KAFKA_LOG_DIRS']}" in kafka["volumes"]


def test_the_collector_hands_what_it_receives_to_jaeger() -> None:
    config = yaml.safe_load((ROOT / "deploy/compose/otel-collector.yaml").read_text())
    traces = config["service"]["pipelines"]["traces"]
    for part in ("receivers", "processors", "exporters"):
        assert set(traces[part]) == set(config[part])
    (exporter,) = config["exporters"].values()
    assert exporter["endpoint"] == "http://jaeger:4318"


def test_bind_mounts_exist_and_are_read_only(services: Services) -> None:
    for service in services.values():
        for volume in service.get("volumes", []):
            if volume.startswith("./"):
                source, _, mode = volume.split(":")
                assert (ROOT / source).is_file(), source
                assert mode == "ro", volume


def compose() -> list[str] | None:
    """The command of Compose, if this machine has one."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and subprocess.run([*command, "version"], capture_output=True).returncode == 0:
            return command
    return None


@pytest.mark.skipif(compose() is None, reason="Compose is not installed; the checks above need none")
@pytest.mark.parametrize("overlay", [None, *FILES[1:]])
def test_compose_itself_accepts_the_files(overlay: str | None, tmp_path: Path) -> None:
    command = compose()
    assert command is not None
    env = tmp_path / "env"
    text = (ROOT / ".env.example").read_text()
    env.write_text(re.sub('^([A-Z_]+)=("")?$', r"\1=given", text, flags=re.MULTILINE))
    files = [part for name in (FILES[0], overlay) if name for part in ("-f", str(ROOT / name))]
    done = subprocess.run(
        [*command, "--env-file", str(env), *files, "config", "--quiet"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
