"""What a container of ours may do: nothing but its work."""

from pathlib import Path
from typing import Any

import pytest

Services = dict[str, dict[str, Any]]
ROOT = Path(__file__).parents[3]
LONG_RUNNING = {"assistant-api", "tool-sync", "vapi-sandbox"}
ONE_OFF = {"topics", "assistant-api-migrate", "tool-sync-migrate"}


def test_our_images_run_the_processes_and_the_steps_before_them(ours: Services) -> None:
    assert set(ours) == LONG_RUNNING | ONE_OFF


def test_our_containers_have_no_user_no_root_and_no_capabilities_to_misuse(ours: Services) -> None:
    for name, service in ours.items():
        assert service["user"] == "10001:10001", name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert [mount.split(":")[0] for mount in service["tmpfs"]] == ["/tmp"], name
        assert "volumes" not in service, name


def test_our_containers_have_limits(ours: Services) -> None:
    for name, service in ours.items():
        assert service["pids_limit"] > 0, name
        assert service["mem_limit"], name


def test_no_container_gets_new_privileges_or_the_engine(services: Services) -> None:
    for name, service in services.items():
        assert "no-new-privileges:true" in service["security_opt"], name
        assert not service.get("privileged"), name
        assert {"pid", "ipc", "network_mode", "devices", "cap_add"}.isdisjoint(service), name
        assert not any("docker.sock" in volume for volume in service.get("volumes", [])), name


def test_only_the_broker_may_write_outside_its_volumes(services: Services) -> None:
    assert {name for name, service in services.items() if not service.get("read_only")} == {"kafka"}


def test_who_need_not_talk_to_each_other_share_no_network(services: Services, networks: Services) -> None:
    of = {name: set(service["networks"]) for name, service in services.items()}
    members = {network: {name for name in of if network in of[name]} for network in networks}
    ours = {"assistant-api", "tool-sync"}
    assert members["database"] == ours | {"postgres", "assistant-api-migrate", "tool-sync-migrate"}
    assert members["broker"] == ours | {"kafka", "topics"}
    assert members["vapi"] == ours | {"vapi-sandbox"}
    assert networks["database"] == {"internal": True}
    assert set().union(*of.values()) == set(networks), "a name that is written wrong is a network of its own"


def test_ports_are_open_to_this_machine_only(services: Services) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(published) == {"assistant-api", "tool-sync", "vapi-sandbox", "kafka", "jaeger", "prometheus", "grafana"}
    for name, ports in published.items():
        assert all(port.startswith("127.0.0.1:") for port in ports), name


def test_everything_that_keeps_running_is_restarted_and_checked(services: Services) -> None:
    for name, service in services.items():
        if name in ONE_OFF:
            assert service["restart"] == "no", name
            assert service["healthcheck"] == {"disable": True}, name
        else:
            assert service["restart"] == "unless-stopped", name
            # The collector's image has no program that could ask; docker-compose.observability.yml says so.
            assert ("healthcheck" in service) == (name != "otel-collector"), name


@pytest.mark.parametrize("target", sorted(LONG_RUNNING))
def test_every_image_has_its_own_user_and_health_check(target: str) -> None:
    stages = (ROOT / "deploy/images/Dockerfile").read_text().split("\nFROM ")
    (stage,) = [stage for stage in stages if stage.splitlines()[0] == f"base AS {target}"]
    assert "\nUSER 10001:10001\n" in stage
    assert "\nHEALTHCHECK " in stage
    assert f'\nENTRYPOINT ["{target}"]' in stage
    assert stage.index("USER 10001") > stage.rindex("COPY ")
