"""`make digests`: every image that is not ours is found and named by what its registry says, or nothing is changed."""

import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
DIGESTS = runpy.run_path(str(ROOT / "deploy/images/digests.py"))
SAID = """Name:      docker.io/library/{image}
MediaType: application/vnd.oci.image.index.v1+json
Digest:    sha256:{digest}

Manifests:
  Name:      docker.io/library/{image}@sha256:{other}
  MediaType: application/vnd.oci.image.manifest.v1+json
  Platform:  linux/amd64
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in DIGESTS["FILES"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def texts(checkout: Path) -> dict[str, str]:
    return {name: (checkout / name).read_text() for name in DIGESTS["FILES"]}


def digest(image: str) -> str:
    return "sha256:" + image.encode().hex().ljust(64, "0")[:64]


def images(document: Any) -> set[str]:
    """Every image of a compose file that is not ours."""
    found = {service["image"].partition("@")[0] for service in document["services"].values() if "image" in service}
    return {image for image in found if not image.startswith("zerotouch/")}


def test_every_image_of_others_is_named_by_its_digest_and_nothing_else_changes(checkout: Path) -> None:
    before = texts(checkout)
    named = DIGESTS["refresh"](checkout, digest)
    for name, text in texts(checkout).items():
        assert len(text.splitlines()) == len(before[name].splitlines())
        for old, new in zip(before[name].splitlines(), text.splitlines(), strict=True):
            assert new == old or new.partition("@")[0] == old.partition("@")[0]
    composes = [name for name in DIGESTS["FILES"] if "compose" in name]
    wanted = set[str]().union(*(images(yaml.safe_load(before[name])) for name in composes))
    assert wanted <= set(named)
    assert len(wanted) == 6
    assert {image.partition(":")[0] for image in set(named) - wanted} == {"python"}
    again = texts(checkout)
    DIGESTS["refresh"](checkout, digest)
    assert texts(checkout) == again, "twice is once"


def test_one_registry_that_does_not_answer_changes_nothing(checkout: Path) -> None:
    before = texts(checkout)

    def ask(image: str) -> str:
        if image.startswith("grafana"):
            raise DIGESTS["NoDigest"](image)
        return digest(image)

    with pytest.raises(DIGESTS["NoDigest"], match="grafana"):
        DIGESTS["refresh"](checkout, ask)
    assert texts(checkout) == before


def docker(tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of Docker's command."""
    (tmp_path / "docker").write_text(f"#!/bin/sh\n{script}")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")


def test_the_digest_is_that_of_all_platforms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = SAID.format(image="postgres:18", digest="a" * 64, other="b" * 64)
    docker(
        tmp_path, f"[ \"$*\" = 'buildx imagetools inspect postgres:18' ] || exit 1\ncat <<'E'\n{said}E\n", monkeypatch
    )
    assert DIGESTS["registry"]("postgres:18") == "sha256:" + "a" * 64


@pytest.mark.parametrize("script", ["echo no such host >&2; exit 1", "echo Digest: sha256:short", "exit 0"])
def test_what_is_no_digest_is_refused(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, script, monkeypatch)
    with pytest.raises(DIGESTS["NoDigest"], match="postgres:18"):
        DIGESTS["registry"]("postgres:18")
