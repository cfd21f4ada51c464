"""Rules for ``messages``: what Vapi says to the caller before, during and after a tool's work.

Types, keys and bounds are those of Vapi's published document (OpenAPI of 2026-08-20). Its ``contents`` (one text for
each language) and ``conditions`` are refused: nobody here needs them, and what is refused now can be taken later.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from tool_sync.publishing.lint_problem import LintProblem, nearest

MESSAGES_MAX: Final = 20
CONTENT_MAX: Final = 1000
DELAY_MILLISECONDS: Final = (100, 120_000)

_Rule = tuple[Callable[[Any], bool], str]


def _is_content(value: Any) -> bool:
    return isinstance(value, str) and len(value.strip()) > 0 and len(value) <= CONTENT_MAX


def _is_delay(value: Any) -> bool:
    return type(value) in (int, float) and DELAY_MILLISECONDS[0] <= value <= DELAY_MILLISECONDS[1]


_FLAG: Final[_Rule] = (lambda value: isinstance(value, bool), "true or false")
_ROLE: Final[_Rule] = (lambda value: value in ("assistant", "system"), "'assistant' or 'system'")
_SAID: Final[Mapping[str, _Rule]] = {
    "type": (lambda _: True, "its type"),
    "content": (_is_content, f"text of 1 to {CONTENT_MAX:,} characters"),
}
_AFTERWARDS: Final[Mapping[str, _Rule]] = {"role": _ROLE, "endCallAfterSpokenEnabled": _FLAG}
MESSAGE_KEYS: Final[Mapping[str, Mapping[str, _Rule]]] = {
    "request-start": {**_SAID, "blocking": _FLAG},
    "request-complete": {**_SAID, **_AFTERWARDS},
    "request-failed": {**_SAID, **_AFTERWARDS},
    "request-response-delayed": {
        **_SAID,
        "timingMilliseconds": (_is_delay, f"a number from {DELAY_MILLISECONDS[0]} to {DELAY_MILLISECONDS[1]:,}"),
    },
}


def message_problems(messages: tuple[Mapping[str, Any], ...]) -> list[LintProblem]:
    """Everything that is wrong with the messages of a file."""
    found = [problem for index, message in enumerate(messages) for problem in _problems(f"messages[{index}]", message)]
    if len(messages) > MESSAGES_MAX:
        found.append(LintProblem("messages", f"are {len(messages)}", f"write at most {MESSAGES_MAX}"))
    return found


def _problems(where: str, message: Mapping[str, Any]) -> list[LintProblem]:
    kind = message.get("type")
    if not isinstance(kind, str) or kind not in MESSAGE_KEYS:
        return [LintProblem(f"{where}.type", "is none that Vapi has", nearest(str(kind), MESSAGE_KEYS))]
    rules = MESSAGE_KEYS[kind]
    found = [
        LintProblem(f"{where}.{key}", f"is no key of {kind}", nearest(key, rules)) for key in message.keys() - rules
    ]
    for key, (fits, kind_of_value) in rules.items():
        if key in message and not fits(message[key]):
            found.append(LintProblem(f"{where}.{key}", "is not what Vapi takes", f"write {kind_of_value}"))
    if "content" not in message:
        found.append(LintProblem(f"{where}.content", "is missing", f"write {_SAID['content'][1]}"))
    return sorted(found, key=lambda problem: problem.where)
