"""The compose files as data: anchors and merges resolved by YAML, variables left as they stand."""

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
MAIN = "docker-compose.yml"
OVERLAYS = ("docker-compose.live.yml", "docker-compose.observability.yml")


def load(name: str) -> dict[str, Any]:
    """One compose file of the checkout."""
    document: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return document


@pytest.fixture(scope="session")
def services() -> dict[str, dict[str, Any]]:
    """Every service by name: those of the main file, then those that only an overlay has."""
    found: dict[str, dict[str, Any]] = dict(load(MAIN)["services"])
    for overlay in OVERLAYS:
        for name, service in load(overlay)["services"].items():
            found.setdefault(name, service)
    return found


@pytest.fixture(scope="session")
def networks() -> dict[str, dict[str, Any] | None]:
    """Every network of the main file and the overlays."""
    return {name: one for file in (MAIN, *OVERLAYS) for name, one in load(file).get("networks", {}).items()}


@pytest.fixture(scope="session")
def ours(services: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The services that run our images."""
    return {name: service for name, service in services.items() if service["image"].startswith("zerotouch/")}
