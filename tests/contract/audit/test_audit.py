"""`make audit-deps`: an all-clear is said only by a source that knows of a known fault, and of what it was asked.

The script is the real one. The tools that need the network are stand-ins, which say what pip-audit says (2.10,
read 2026-11-30), by what each source of advisories is set to know.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from tests.support.own_environment import ROOT

UV: Final = """#!/bin/sh
for out; do :; done
printf 'httpx==0.28.1\\nuvicorn==0.40.0\\n' > "$out"
"""
CYCLONEDX: Final = """#!/bin/sh
while [ "$1" != -o ]; do shift; done
echo '{"bomFormat": "CycloneDX"}' > "$2"
"""
PIP_AUDIT: Final = """#!/bin/sh
source=$2
for file; do :; done
echo "$source $file" >> asked.txt
case "$(cat "$source.knows") $file" in
    away*) echo "ERROR:pip_audit._cli:Connection to $source failed"; exit 1 ;;
    nothing*) echo "No known vulnerabilities found" ;;
    *known-fault*) echo "Found 5 known vulnerabilities in 1 package"; exit 1 ;;
    dies*) echo "ERROR:pip_audit._cli:Connection to $source failed"; exit 1 ;;
    fault*tool-sync*) echo "Found 1 known vulnerability in 1 package"; echo "uvicorn 0.40.0 CVE-1"; exit 1 ;;
    *) echo "No known vulnerabilities found" ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree of sources with the script in it."""

    root: Path

    def run(self, *arguments: str, pypi: str = "clean", osv: str = "clean") -> tuple[int, str]:
        """Status and words; each source ``away``, knowing ``nothing``, ``clean``, or of a ``fault``, or it ``dies``."""
        for source, knows in (("pypi", pypi), ("osv", osv)):
            (self.root / f"{source}.knows").write_text(knows)
        done = subprocess.run(
            ["sh", "deploy/audit.sh", *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    def executable(path: str, text: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
        (tmp_path / path).chmod(0o755)

    executable(".venv/bin/uv", UV)
    executable(".devstack/audit/bin/cyclonedx-py", CYCLONEDX)
    executable(".devstack/audit/bin/pip-audit", PIP_AUDIT)
    executable("deploy/audit.sh", (ROOT / "deploy" / "audit.sh").read_text())
    (tmp_path / "requirements").mkdir()
    shutil.copy(ROOT / "requirements" / "audit.txt", tmp_path / "requirements" / "audit.txt")
    shutil.copy(ROOT / "requirements" / "audit.txt", tmp_path / ".devstack" / "audit" / ".ready")
    return Tree(tmp_path)


def test_nothing_is_known_where_both_sources_know_a_fault_and_none_of_ours(tree: Tree) -> None:
    status, said = tree.run()
    assert status == 0
    assert said.count("nothing is known against its packages") == 4
    assert "NOT ASKED" not in said


@pytest.mark.parametrize("mute", ["away", "nothing"])
def test_a_source_that_does_not_answer_or_knows_nothing_is_no_all_clear(tree: Tree, mute: str) -> None:
    status, said = tree.run(pypi=mute, osv=mute)
    assert status == 2
    assert "nothing is known against" not in said
    assert said.count("NOT ASKED") == 2


def test_one_source_is_enough_and_the_other_is_named(tree: Tree) -> None:
    status, said = tree.run(pypi="nothing")
    assert status == 0
    assert "pypi: NOT ASKED" in said
    assert said.count("osv: nothing is known") == 2


def test_a_fault_that_one_source_knows_of_is_told_and_fails(tree: Tree) -> None:
    status, said = tree.run(pypi="clean", osv="fault")
    assert status == 1
    assert "tool-sync, osv:" in said
    assert "uvicorn 0.40.0 CVE-1" in said


def test_a_source_that_goes_away_meanwhile_has_not_been_asked(tree: Tree) -> None:
    status, said = tree.run(pypi="dies", osv="away")
    assert status == 2
    assert said.count("pypi: NOT ASKED") == 2


def test_sbom_lists_what_each_image_holds_and_asks_nobody(tree: Tree) -> None:
    status, _ = tree.run("sbom")
    assert status == 0
    assert not (tree.root / "asked.txt").exists()
    for name in ("assistant-api", "tool-sync"):
        assert "CycloneDX" in (tree.root / "sbom" / f"{name}.cdx.json").read_text()


def test_without_a_setup_it_says_so(tree: Tree) -> None:
    (tree.root / ".venv/bin/uv").unlink()
    assert tree.run() == (2, "audit: run make setup first\n")
