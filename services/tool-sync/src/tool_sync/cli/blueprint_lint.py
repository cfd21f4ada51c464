"""``tool-sync blueprint lint``: a problem a line."""

from collections.abc import Iterator
from pathlib import Path

from tool_sync.cli.exits import EXIT_FOUND, EXIT_USAGE, error
from tool_sync.cli.output import print_json, print_lines
from tool_sync.publishing.lint import LintReport, lint
from tool_sync.publishing.resolving import resolve
from tool_sync.publishing.tool_file import read_tool_file


async def show_lint(file: Path, *, loopback_allowed: bool, as_json: bool) -> int:
    """Print what is wrong with the file; returns the exit status."""
    try:
        reading = read_tool_file(file)
    except OSError as caught:
        error(f"{file} cannot be opened: {caught.strerror}")
        return EXIT_USAGE
    report = await lint(reading, resolve, loopback_allowed=loopback_allowed)
    if as_json:
        print_json("blueprint lint", {"file": str(file), "problems": report.problems, "warnings": report.warnings})
    else:
        print_lines(lint_lines(file.name, report))
    return EXIT_FOUND if report.problems else 0


def lint_lines(name: str, report: LintReport) -> Iterator[str]:
    """The problems, the warnings, and how many there are."""
    for text in (*map(str, report.problems), *(f"warning: {warning}" for warning in report.warnings)):
        yield "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    verdict = f"{len(report.problems)} problem(s)" if report.problems else "can be published"
    yield f"{name}: {verdict}" + (f", {len(report.warnings)} warning(s)" if report.warnings else "")
