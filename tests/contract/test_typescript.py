"""The types for TypeScript: as the schemas are, and held against every golden example by the compiler itself."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from zerotouch_contracts import typescript
from zerotouch_contracts.schemas import MESSAGES

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "contracts/typescript"
EXAMPLES: Final = {path.name: json.loads(path.read_text()) for path in sorted(ROOT.glob("contracts/examples/*.json"))}
RUN: Final = """
import { read } from "./examples/read.js";
for (const one of JSON.parse(process.argv[2])) console.log(read(one.headers.ce_type, JSON.stringify(one.value)));
"""


def test_the_types_are_what_the_schemas_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert typescript.main(["--check"]) == 0, capsys.readouterr().err


def test_a_schema_that_no_type_was_thought_of_for_is_said() -> None:
    with pytest.raises(ValueError, match="no type"):
        typescript.type_of({"type": "array", "prefixItems": [{"type": "string"}]})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, to be compiled in."""
    if shutil.which("npx") is None:
        pytest.skip("NOT RUN: there is no npx (node) on this machine")
    folder = tmp_path_factory.mktemp("typescript")
    for name in ("src", "examples"):
        shutil.copytree(PACKAGE / name, folder / name)
    shutil.copy(PACKAGE / "package.json", folder)
    config = json.loads((PACKAGE / "tsconfig.json").read_text())
    config["compilerOptions"] |= {"rootDir": ".", "outDir": "out"}
    (folder / "tsconfig.json").write_text(json.dumps({**config, "include": ["src", "examples"]}))
    return folder


def compiles(folder: Path, *options: str) -> str:
    """What the compiler says; nothing where it finds no fault."""
    wanted = json.loads((PACKAGE / "package.json").read_text())["devDependencies"]["typescript"]
    command = ["npx", "--yes", "--package", f"typescript@{wanted}", "--", "tsc"]
    done = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if "npm error code E" in done.stderr:
        pytest.skip(f"NOT RUN: TypeScript cannot be had: {done.stderr.splitlines()[0]}")
    assert (done.returncode == 0) == (not done.stdout), done.stdout + done.stderr
    return done.stdout


def as_message(example: dict[str, Any]) -> str:
    """A literal, in which the compiler finds fields that are missing, unknown or of another type."""
    return f"{{ type: {json.dumps(example['headers']['ce_type'])}, data: {json.dumps(example['value'])} }}"


@pytest.mark.timeout(300)
def test_the_package_is_built_as_it_says(folder: Path) -> None:
    shutil.copy(PACKAGE / "tsconfig.json", folder / "tsconfig.build.json")
    package = json.loads((PACKAGE / "package.json").read_text())
    assert package["scripts"]["build"] == "tsc --project tsconfig.json"
    assert compiles(folder, "--project", "tsconfig.build.json") == ""
    assert all((folder / path).exists() for path in package["exports"]["."].values())


@pytest.mark.timeout(300)
def test_every_golden_example_has_its_type_and_the_reader_reads_it(folder: Path) -> None:
    literals = ",\n".join(map(as_message, EXAMPLES.values()))
    imported = 'import type { Message } from "../src/index.js";\n'
    (folder / "examples/golden.ts").write_text(f"{imported}export const golden: Message[] = [{literals}];\n")
    assert compiles(folder) == ""
    assert {one["headers"]["ce_type"] for one in EXAMPLES.values()} == {message.TYPE for message in MESSAGES}
    (folder / "out/run.js").write_text(RUN)
    newer = {"headers": {"ce_type": "zerotouch.Newer.v1"}, "value": {}}
    given = json.dumps([*EXAMPLES.values(), newer])
    said = subprocess.run(["node", "out/run.js", given], cwd=folder, capture_output=True, text=True, check=True).stdout
    *sentences, last = said.splitlines()
    assert last == "passed over"
    assert len(sentences) == len(EXAMPLES)
    assert not any("undefined" in sentence for sentence in sentences), said


@pytest.mark.timeout(300)
def test_the_compiler_finds_what_is_wrong_with_a_message(folder: Path) -> None:
    example = EXAMPLES["ToolsSynced.v1.json"]
    lacking = {name: value for name, value in example["value"].items() if name != "org_id"}
    wrong = {
        "lacks a field": {**example, "value": lacking},
        "has another type": {**example, "value": {**example["value"], "sequence": "1"}},
        "has a field that nobody knows": {**example, "value": {**example["value"], "orgId": "x"}},
        "is another message": {**example, "headers": {"ce_type": "zerotouch.OrganizationSaved.v1"}},
    }
    literals = "\n".join(
        f"export const wrong{n}: Message =\n{as_message(one)};" for n, one in enumerate(wrong.values())
    )
    (folder / "examples/golden.ts").write_text(f'import type {{ Message }} from "../src/index.js";\n{literals}\n')
    found = compiles(folder, "--noEmit")
    lines = {int(line.split("(")[1].split(",")[0]) for line in found.splitlines() if line.startswith("examples/golden")}
    assert lines == {3, 5, 7, 9}, found


@pytest.mark.timeout(300)
def test_a_reader_that_forgets_a_message_does_not_compile(folder: Path) -> None:
    reader = (PACKAGE / "examples/read.ts").read_text()
    case = '    case "zerotouch.LogHead.v1":'
    forgetful = reader.replace(reader[reader.index(case) : reader.index("    case", reader.index(case) + 5)], "")
    (folder / "examples/golden.ts").write_text(forgetful)
    assert "not assignable to type 'never'" in compiles(folder, "--noEmit")
