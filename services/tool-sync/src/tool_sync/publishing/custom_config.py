"""A clinic's ``custom_config`` against what its version declares open: everything that is wrong with it, at once."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from tool_sync.domain.fleet.state import Version
from tool_sync.domain.overlay import MESSAGES, PARAMETER, SUFFIX, room_for_suffix
from tool_sync.publishing.lint_problem import LintProblem
from tool_sync.publishing.message_rules import message_problems
from tool_sync.publishing.text_rules import text_problems

PARAMETERS: Final = PARAMETER.rstrip(".")
PARAMETER_CHARACTERS_MAX: Final = 500
"""Of a static parameter's text, which goes to the server with each call."""
CONFIG: Final = "custom_config"
_KEYS: Final = (SUFFIX, MESSAGES, PARAMETERS)


def parts_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The texts by the names of their parts, for a config without problems."""
    found = {key: config[key] for key in (SUFFIX, MESSAGES) if key in config}
    return found | {f"{PARAMETER}{name}": text for name, text in config.get(PARAMETERS, {}).items()}


def config_of(parts: Mapping[str, Any]) -> dict[str, Any]:
    """The config that these parts make up: the other direction of :func:`parts_of`."""
    config = {part: text for part, text in parts.items() if not part.startswith(PARAMETER)}
    named = {part.removeprefix(PARAMETER): text for part, text in parts.items() if part.startswith(PARAMETER)}
    return config | ({PARAMETERS: named} if named else {})


def config_problems(config: Mapping[str, Any], version: Version | None) -> list[LintProblem]:
    """What is wrong with it for a clinic that gets this version; None: no version gives the clinic the tool."""
    if version is None:
        return (
            [LintProblem(CONFIG, "is not open: nothing gives the clinic this tool", "leave it out")] if config else []
        )
    return [*_unknown(config, version), *_part_problems(config, version)]


def _unknown(config: Mapping[str, Any], version: Version) -> Iterator[LintProblem]:
    for key in config:
        if key not in _KEYS:
            yield LintProblem(_at(key), "is not open to clinics", _open_parts(version))


def _part_problems(config: Mapping[str, Any], version: Version) -> Iterator[LintProblem]:
    has_object = isinstance(config.get(PARAMETERS, {}), dict)
    for part, text in parts_of(config if has_object else {**config, PARAMETERS: {}}).items():
        if part not in version.open:
            what = f"{'are' if part == MESSAGES else 'is'} not open in version {version.version}"
            yield LintProblem(_at(part), what, _open_parts(version))
        elif part == MESSAGES:
            yield from _message_problems(text)
        else:
            yield from _text_problems(part, text, version)
    if not has_object:
        yield LintProblem(_at(PARAMETERS), "must be an object", "write texts by the names of static parameters")


def _text_problems(part: str, text: Any, version: Version) -> Iterable[LintProblem]:
    where, room = _at(part), room_for_suffix(version)
    if part == SUFFIX and not _is_text(text, room):
        return [LintProblem(where, "does not fit behind the description", f"write text of 1 to {room} characters")]
    if part != SUFFIX and not _is_text(text, PARAMETER_CHARACTERS_MAX):
        return [LintProblem(where, "is no text that fits", f"write 1 to {PARAMETER_CHARACTERS_MAX} characters")]
    return text_problems(text, where)


def _message_problems(messages: Any) -> Iterable[LintProblem]:
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        return [LintProblem(_at(MESSAGES), "must be a list of objects", "write messages as a tool's file has them")]
    found = [*message_problems(tuple(messages)), *text_problems(messages, MESSAGES)]
    return [LintProblem(_at(problem.where), problem.what, problem.instead) for problem in found]


def _is_text(text: Any, characters_max: int) -> bool:
    return isinstance(text, str) and bool(text.strip()) and len(text) <= characters_max


def _at(key: str) -> str:
    """A key comes from outside, and may be no Unicode that could be answered."""
    return f"{CONFIG}.{ascii(key)[1:-1][:64]}"


def _open_parts(version: Version) -> str:
    if not version.open:
        return "leave it out: the tool's version declares nothing open"
    return f"write {', '.join(version.open)} alone"
