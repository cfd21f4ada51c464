"""requirements/runtime.txt: what is in the images is what the tests ran with."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")
MEMBERS = ("contracts", "services/assistant-api", "services/tool-sync", "services/vapi-sandbox")


def lock(name: str) -> str:
    """The text of a lock."""
    return (ROOT / "requirements" / name).read_text()


def test_images_have_the_versions_of_the_tests() -> None:
    tested = dict(PIN.findall(lock("dev.txt")))
    runtime = dict(PIN.findall(lock("runtime.txt")))
    assert len(runtime) > 40
    assert {name: tested.get(name) for name in runtime} == runtime


@pytest.mark.parametrize("member", MEMBERS)
def test_every_dependency_of_a_member_is_locked(member: str) -> None:
    project = tomllib.loads((ROOT / member / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[\[<>=!~ ;]", dependency, maxsplit=1)[0] for dependency in project["dependencies"]}
    ours = {name for name in names if name.startswith("zerotouch-")}
    assert names - ours <= set(dict(PIN.findall(lock("runtime.txt"))))


def test_every_package_has_hashes_and_none_an_address() -> None:
    text = lock("runtime.txt")
    for block in re.split(r"\n(?=[a-z0-9])", text)[1:]:
        assert HASH.search(block), block.splitlines()[0]
    assert "://" not in text
