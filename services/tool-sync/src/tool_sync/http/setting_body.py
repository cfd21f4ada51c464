"""The body of ``PUT …/tools/TOOL/settings``: what may be set, what never can, and every problem at once."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tool_sync.domain.tool_setting import REASON_CHARACTERS_MAX, reason_problem
from tool_sync.http.problems import Problem
from zerotouch_contracts.errors import ErrorCode
from zerotouch_contracts.tools import STATIC_PARAMETERS

IDENTITY_FIELDS: Final = frozenset({"name", "server", "url", "parameters"}) | STATIC_PARAMETERS
"""What says which tool it is, whose, and who answers it. A clinic that could set one of these could make its callers'
words go elsewhere, or speak for another clinic."""
_KEY_CHARACTERS_SHOWN: Final = 64
_PROBLEMS_SHOWN: Final = 20


class SettingBody(BaseModel):
    """What is set for one tool of a clinic."""

    model_config = ConfigDict(extra="forbid", strict=True)

    enabled: bool = Field(description="Whether the clinic's assistants get the tool, if its tier has it.")
    custom_config: dict[str, Any] = Field(
        default_factory=dict,
        max_length=0,
        description="What the tool's version declares open to clinics. No version declares anything yet.",
    )
    reason: str | None = Field(
        default=None,
        max_length=REASON_CHARACTERS_MAX,
        description="Why, in one line that is kept for ever: no names, numbers or addresses of patients.",
    )


def setting_of_body(body: dict[str, object]) -> SettingBody:
    """The body as a setting. Raises a 422 problem that names every field, and repeats nothing of what was in them."""
    config = body.get("custom_config")
    problems = [*_identity(body, ""), *(_of_config(config) if isinstance(config, dict) else ())]
    rest = {key: value for key, value in body.items() if key not in IDENTITY_FIELDS}
    if isinstance(config, dict):
        rest["custom_config"] = {}  # spoken of above, key by key
    try:
        setting = SettingBody.model_validate(rest)
    except ValidationError as error:
        items = error.errors(include_input=False, include_url=False, include_context=False)
        problems += [f"{'.'.join(_shown(part) for part in item['loc'])}: {item['msg']}" for item in items]
    else:
        if setting.reason is not None and (problem := reason_problem(setting.reason)) is not None:
            problems.append(f"reason: {problem}")
    if problems:
        raise Problem(422, ErrorCode.INVALID_REQUEST, "; ".join(problems[:_PROBLEMS_SHOWN]))
    return setting


def _of_config(config: dict[object, object]) -> Iterator[str]:
    yield from _identity(config, "custom_config.")
    for key in config:
        if key not in IDENTITY_FIELDS:
            yield f"custom_config.{_shown(key)}: is not open to clinics; the tool's version declares nothing open"


def _identity(keys: Iterable[object], place: str) -> Iterator[str]:
    for key in keys:
        if key in IDENTITY_FIELDS:
            yield f"{place}{key}: belongs to the tool's identity and can never be set by a clinic"


def _shown(key: object) -> str:
    """A key as ASCII: it comes from outside, and may be no Unicode that could be answered."""
    return ascii(str(key))[1:-1][:_KEY_CHARACTERS_SHOWN]
