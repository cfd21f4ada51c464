"""What is made from the code: pages of docs/, parts of docker-compose.yml and .env.example, the chart's schema.

python -m devstack.pages            write them
python -m devstack.pages --check    fail where one of them is not what the code says
"""

import argparse
import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from assistant_api.settings import Settings as AssistantApiSettings
from devstack.chart_schema import chart_schema
from devstack.compose_settings import by_hand, compose_part, example_part, with_part
from tool_sync.settings import Settings as ToolSyncSettings
from zerotouch_contracts.errors import CATALOGUE, ErrorEntry

ROOT: Final = Path(__file__).resolve().parents[4]
_SETTINGS: Final[Mapping[str, type[BaseSettings]]] = MappingProxyType({
    "assistant-api": AssistantApiSettings,
    "tool-sync": ToolSyncSettings,
})  # fmt: skip
_GROUPS: Final[Mapping[str, str]] = MappingProxyType({
    "1": "Vapi does not do what it should: it is tried again",
    "2": "Vapi refuses our key",
    "3": "This assistant or tool stands in the way",
    "4": "The request itself",
    "5": "Nothing is wanted",
    "9": "HTTP: what a client is answered",
})  # fmt: skip
_MADE: Final = "Made by `python -m devstack.pages` from "


def errors_page() -> str:
    """Every code of the catalogue: what it means, who acts, what to do."""
    lines = [
        "# Error codes",
        "",
        _MADE + "`zerotouch_contracts/errors.py`: the codes of events, problem bodies, logs, spans and commands.",
        "A code never changes its meaning. `tool-sync errors CODE` says the same.",
    ]
    for group, title in _GROUPS.items():
        lines += ["", f"## TS-{group}xx · {title}"]
        for entry in CATALOGUE.values():
            if entry.code.value.startswith(f"TS-{group}"):
                lines += ["", *_error_lines(entry)]
    return "\n".join(lines) + "\n"


def _error_lines(entry: ErrorEntry) -> Iterator[str]:
    yield f"### {entry.code.value} · {entry.title}"
    yield ""
    yield entry.meaning
    yield ""
    tried = "Tried again by itself" if entry.retryable else "Not tried again by itself"
    yield f"**{tried}.** Who acts: {entry.who_acts}."
    yield entry.what_to_do


def settings_page() -> str:
    """Every variable of both services: what it is, and its default."""
    lines = [
        "# Settings",
        "",
        _MADE + "the settings of both services: environment variables. All that is missing or wrong is",
        "said at once when a service starts; a variable that looks like one of these and is none is logged by name.",
        "`tool-sync doctor` looks at them, too. The installation, what begins with `VAPI_` or `JWT_`, and the topics",
        "are the same in both services.",
    ]
    for service, kind in _SETTINGS.items():
        meanings = _docstrings_of(kind)
        lines += ["", f"## {service}", "", "| variable | default | is |", "|---|---|---|"]
        lines += [
            f"| `{name.upper()}` | {_default(field)} | {meanings[name]} |" for name, field in kind.model_fields.items()
        ]
    return "\n".join(lines) + "\n"


def _docstrings_of(kind: type[BaseSettings]) -> Mapping[str, str]:
    """The text below each field of the class and of those that it is made of; each has one."""
    found: dict[str, str] = {}
    for part in kind.__mro__:
        if issubclass(part, BaseSettings) and part is not BaseSettings:
            [definition] = ast.parse(inspect.getsource(part)).body
            assert isinstance(definition, ast.ClassDef)
            for field, below in pairwise(definition.body):
                match field, below:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                        found.setdefault(name, " ".join(text.split()))
    return found


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if default is None or default in ((), ""):
        return "none"
    if isinstance(default, BaseModel):  # a whole configuration: the text says what its parts are
        return "see there"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def compose_file() -> str:
    """`docker-compose.yml`, which hands every setting that it does not give itself from `.env` to the services."""
    text = _read("docker-compose.yml")
    return with_part(text, compose_part(_SETTINGS, by_hand(text)))


def example() -> str:
    """`.env.example`, which names and describes all of them."""
    given = by_hand(_read("docker-compose.yml"))
    return with_part(_read(".env.example"), example_part(_SETTINGS, given, _docstrings_of, _default))


def _read(name: str) -> str:
    return (ROOT / name).read_text()


def values_schema() -> str:
    """What the chart takes."""
    return chart_schema({"assistantApi": AssistantApiSettings, "toolSync": ToolSyncSettings})


PAGES: Final = {
    "docs/errors.md": errors_page,
    "docs/settings.md": settings_page,
    "docker-compose.yml": compose_file,
    ".env.example": example,
    "deploy/helm/zerotouch/values.schema.json": values_schema,
}


def main() -> int:
    """Write the pages, or say which are not fresh."""
    parser = argparse.ArgumentParser(prog="python -m devstack.pages", description=__doc__)
    parser.add_argument("--check", action="store_true")
    is_check = parser.parse_args().check
    stale = []
    for name, made in PAGES.items():
        page, text = ROOT / name, made()
        if not page.exists() or page.read_text() != text:
            stale.append(name)
            if not is_check:
                page.write_text(text)
    if is_check and stale:
        print(f"{', '.join(stale)}: not what the code says; run python -m devstack.pages", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
