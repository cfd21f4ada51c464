"""The body of ``PUT …/tools/TOOL/settings``: what may be set, what never can, and every problem at once."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from pydantic import Field

from tool_sync.domain.fleet import Version
from tool_sync.http.body import Body, ReasonOrNone, invalid, model_of
from tool_sync.publishing.custom_config import CONFIG, PARAMETERS, config_problems
from zerotouch_contracts.tools import STATIC_PARAMETERS

IDENTITY_FIELDS: Final = frozenset({"name", "server", "url", "parameters"}) | STATIC_PARAMETERS
"""What says which tool it is, whose, and who answers it. A clinic that could set one of these could make its callers'
words go elsewhere, or speak for another clinic."""


class SettingBody(Body):
    """What is set for one tool of a clinic."""

    enabled: bool = Field(description="Whether the clinic's assistants get the tool, if its tier has it.")
    custom_config: dict[str, Any] | None = Field(
        default=None,
        description="The clinic's own words for the parts that its version of the tool declares open: "
        "`description_suffix`, `messages` and `static_parameters` by their names. Absent or null: as they are; "
        "`{}`: none.",
    )
    reason: ReasonOrNone = None


def words_of_body(body: dict[str, object]) -> bool:
    """Whether the body has words, so that the version that they are for has to be known."""
    return isinstance(config := body.get(CONFIG), dict) and bool(config)


def setting_of_body(body: dict[str, object], version: Version | None) -> SettingBody:
    """The body as a setting. Raises a 422 problem that names every field, and repeats nothing of what was in them.

    ``version``: the one by which the clinic has the tool; it matters where :func:`words_of_body`.
    """
    config = body.get(CONFIG)
    problems = [*_identity(body, ""), *(_of_config(config, version) if isinstance(config, dict) else ())]
    rest = {key: value for key, value in body.items() if key not in IDENTITY_FIELDS}
    if isinstance(config, dict):
        rest[CONFIG] = {}  # spoken of above, key by key
    setting, wrong = model_of(SettingBody, rest)
    problems += wrong
    if problems or setting is None:
        raise invalid(problems)
    return setting.model_copy(update={CONFIG: config}) if isinstance(config, dict) else setting


def _of_config(config: dict[str, Any], version: Version | None) -> Iterator[str]:
    yield from _identity(config, f"{CONFIG}.")
    parameters = config.get(PARAMETERS)
    named = parameters if isinstance(parameters, dict) else {}
    yield from _identity((name for name in named if name in STATIC_PARAMETERS), f"{CONFIG}.{PARAMETERS}.")
    rest = {key: value for key, value in config.items() if key not in IDENTITY_FIELDS}
    if isinstance(parameters, dict):
        rest[PARAMETERS] = {name: value for name, value in named.items() if name not in STATIC_PARAMETERS}
    yield from map(str, config_problems(rest, version))


def _identity(keys: Iterable[object], place: str) -> Iterator[str]:
    for key in keys:
        if key in IDENTITY_FIELDS:
            yield f"{place}{key}: belongs to the tool's identity and can never be set by a clinic"
