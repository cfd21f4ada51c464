"""*Publish*: a tool's file as text, checked with all its problems at once, and then published as its next version."""

import re
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from tool_sync.console.access import FormRefused, PlatformPage, own_form, reason_of
from tool_sync.console.pages import page, see_other
from tool_sync.http.problems import Problem, encodable
from tool_sync.http.tools import linted, publish_linted
from tool_sync.publishing.lint import LintReport
from zerotouch_platform.auth import Platform

TEXT_BYTES_MAX: Final = 40_000
FORM_BYTES_MAX: Final = 3 * TEXT_BYTES_MAX + 8_192
"""In a form a byte may become three."""
PROBLEMS_SHOWN: Final = 100
_PROBLEM_CHARACTERS_SHOWN: Final = 400
COMMAND: Final = "tool-sync blueprint publish FILE --reason TEXT"
_LONG_KEY: Final = re.compile(r"(?:[^\s.=]{1,64}[ \t]*\.[ \t]*){50}")
"""The standard library reads TOML in the square of the length of a dotted key: seconds, in which nobody is answered."""

router = APIRouter()


@router.get("/publish")
async def get_publish(request: Request, caller: PlatformPage) -> Response:
    """The form."""
    return _form(request, caller, "", "")


@router.post("/publish")
async def post_publish(request: Request, caller: PlatformPage) -> Response:
    """Checks the text, and publishes it where that was asked for and nothing is wrong."""
    text = reason = ""
    try:
        form = await own_form(request, FORM_BYTES_MAX)
        text, reason = form.get("tool", ""), form.get("reason", "")
        content = _content_of(text)
        found, report = await linted(request, content, "the tool", is_toml=not text.lstrip().startswith("{"))
        if report.problems or found.tool is None or form.get("act") != "publish":
            return _form(request, caller, text, reason, report=report, status=422 if report.problems else 200)
        why, _ = reason_of(form, caller)
        done = await publish_linted(request, caller, found.tool, why)
    except (FormRefused, Problem) as error:
        return _form(request, caller, text, reason, problem=error)
    return see_other(f"/tools/{done.name}/versions/{done.version}")


def _content_of(text: str) -> bytes:
    """Raises :class:`FormRefused` for what would be read for too long."""
    content = text.encode()
    if not content.strip():
        raise FormRefused("write the tool: its name, contract and description")
    if len(content) > TEXT_BYTES_MAX:
        raise FormRefused(f"the tool has more than {TEXT_BYTES_MAX:,} bytes: publish it in a terminal", 413)
    if _LONG_KEY.search(text):
        raise FormRefused("a key, or something like one, has more than 50 parts with a dot between them")
    return content


def _form(
    request: Request,
    caller: Platform,
    text: str,
    reason: str,
    *,
    report: LintReport | None = None,
    problem: FormRefused | Problem | None = None,
    status: int = 200,
) -> Response:
    problems, warnings = ((), ()) if report is None else (report.problems, report.warnings)
    return page(
        request,
        "publish",
        caller,
        command=COMMAND,
        status=status,
        tool_text=text,
        reason=reason,
        problem=problem,
        is_checked=report is not None,
        problems=[encodable(str(one))[:_PROBLEM_CHARACTERS_SHOWN] for one in problems[:PROBLEMS_SHOWN]],
        problems_more=max(len(problems) - PROBLEMS_SHOWN, 0),
        warnings=[encodable(str(one))[:_PROBLEM_CHARACTERS_SHOWN] for one in warnings[:PROBLEMS_SHOWN]],
    )
