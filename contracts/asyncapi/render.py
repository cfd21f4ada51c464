"""Writes ``index.html`` from ``asyncapi.yaml``: one page that shows the messages offline, without any script.

python contracts/asyncapi/render.py            write it
python contracts/asyncapi/render.py --check    fail where it is not up to date
"""

import json
import sys
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any, Final

import yaml

HERE: Final = Path(__file__).resolve().parent
DOCUMENT: Final = HERE / "asyncapi.yaml"
PAGE: Final = HERE / "index.html"

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; margin: 0 auto; max-width: 62rem; padding: 1rem; }
h1 { line-height: 1.2; } h2 { border-top: 1px solid var(--line); margin-top: 2.5rem; padding-top: 1rem; }
article { border: 1px solid var(--line); border-radius: 8px; margin: 1rem 0; padding: 0 1rem 1rem; }
code, pre { font: 0.875em/1.5 ui-monospace, monospace; }
code { background: var(--soft); border-radius: 4px; overflow-wrap: anywhere; padding: 0.1em 0.3em; }
pre { background: var(--soft); border-radius: 6px; overflow-x: auto; padding: 0.75rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: 0.35rem 0.75rem 0.35rem 0; text-align: left; }
th, td { vertical-align: top; }
summary { cursor: pointer; } nav a { display: inline-block; margin-right: 1rem; padding: 0.25rem 0; }
"""


def page() -> str:
    """The page as it should be now."""
    document = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
    return "\n".join(line.rstrip() for line in "\n".join(_page(document)).splitlines()) + "\n"


def _page(document: Mapping[str, Any]) -> Iterator[str]:
    info = document["info"]
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(info['title'])}</title>\n<style>{_STYLE}</style>\n</head>\n<body>"
    yield f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>"
    yield from _prose(info["description"])
    yield (
        "<nav>"
        + " ".join(f'<a href="#{name}">{escape(c["address"])}</a>' for name, c in _channels(document))
        + "</nav>"
    )
    for name, channel in _channels(document):
        yield f'<h2 id="{name}"><code>{escape(channel["address"])}</code> {escape(channel["title"])}</h2>'
        yield f"<p>{escape(channel['description'])}</p>"
        yield from _table("Topic", channel["bindings"]["kafka"]["topicConfiguration"].items())
        for key in channel["messages"]:
            yield from _message(document, document["components"]["messages"][key])
    yield "</body>\n</html>"


def _channels(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from document["channels"].items()


def _prose(text: str) -> Iterator[str]:
    for paragraph in text.strip().split("\n\n"):
        html = escape(" ".join(paragraph.split()))
        for mark, tag in (("**", "strong"), ("`", "code")):
            parts = html.split(mark)
            html = "".join(part if n % 2 == 0 else f"<{tag}>{part}</{tag}>" for n, part in enumerate(parts))
        yield f"<p>{html}</p>"


def _message(document: Mapping[str, Any], message: Mapping[str, Any]) -> Iterator[str]:
    short = message["name"].removeprefix("zerotouch.")
    yield f'<article id="{short}">\n<h3><code>{escape(message["name"])}</code></h3>'
    yield f"<p><strong>{escape(message['title'])}.</strong></p>"
    yield from _prose(message.get("summary", ""))
    schema = json.loads((HERE / message["payload"]["schema"]["$ref"]).read_text(encoding="utf-8"))
    yield from _fields(schema)
    headers = message["headers"]["$ref"].rpartition("/")[2]
    yield from _table("Header", _headers(document, headers))
    example = json.loads((HERE.parent / "examples" / f"{short}.json").read_text(encoding="utf-8"))
    yield "<details><summary>A whole record</summary>"
    yield f"<pre>{escape(json.dumps(example, indent=2, ensure_ascii=False))}</pre></details>\n</article>"


def _fields(schema: Mapping[str, Any]) -> Iterator[str]:
    required = set(schema.get("required", ()))
    rows = [
        (name, f"{_kind(field, schema)}{'' if name in required else ', may be absent'}")
        for name, field in schema["properties"].items()
    ]
    yield from _table("Field", rows)


def _kind(field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "anyOf" in field:
        return " or ".join(_kind(choice, schema) for choice in field["anyOf"])
    if field.get("type") == "array":
        return f"list of {_kind(field['items'], schema)}"
    return str(field.get("format") or field.get("type", "anything"))


def _headers(document: Mapping[str, Any], name: str) -> Iterator[tuple[str, str]]:
    schema = document["components"]["schemas"][name]
    for part in schema.get("allOf", [schema]):
        part = document["components"]["schemas"]["Headers"] if "$ref" in part else part
        for header, field in part["properties"].items():
            yield header, field.get("description") or str(field.get("const") or field.get("format") or field["type"])


def _table(heading: str, rows: Any) -> Iterator[str]:
    yield f'<div class="wide"><table>\n<tr><th>{heading}</th><th></th></tr>'
    for name, value in rows:
        shown = ", ".join(value) if isinstance(value, list) else str(value)
        yield f"<tr><td><code>{escape(name)}</code></td><td>{escape(shown)}</td></tr>"
    yield "</table></div>"


def main() -> int:
    """The command; returns the exit status."""
    fresh = page()
    if "--check" not in sys.argv:
        PAGE.write_text(fresh, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != fresh:
        print("contracts/asyncapi/index.html is out of date; run python contracts/asyncapi/render.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
