"""What the console has of others is as they publish it, and nothing of it came without its licence."""

import hashlib
import tomllib
from importlib.resources import files

STATIC = files("tool_sync.console") / "static"
OURS = {"console.css", "icon.svg", "live.js", "VENDORED.toml"}


def test_every_file_of_others_is_named_with_its_licence_and_hash() -> None:
    vendored = tomllib.loads((STATIC / "VENDORED.toml").read_text())["file"]
    assert {one["name"]: one["sha256"] for one in vendored} == {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in STATIC.iterdir() if file.name not in OURS
    }
    assert all(one["licence"] and one["what"] for one in vendored)
