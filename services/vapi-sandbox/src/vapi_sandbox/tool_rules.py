"""Which bodies `POST /tool` and `PATCH /tool/{id}` accept (published API schema and Python SDK 3.0.0).

Function tools are checked field by field. The other types pass as they are, so that assistants of other authors
survive in the sandbox. Below `parameters.properties` and in `headers` anything goes, as with the real API.
"""

from __future__ import annotations

from typing import Any

from vapi_sandbox.checks import Check, Problems, anything, array, boolean, free_object, number, obj, one_of, text

TOOL_TYPES = (
    "apiRequest",
    "bash",
    "code",
    "computer",
    "dtmf",
    "endCall",
    "function",
    "gohighlevel.calendar.availability.check",
    "gohighlevel.calendar.event.create",
    "gohighlevel.contact.create",
    "gohighlevel.contact.get",
    "google.calendar.availability.check",
    "google.calendar.event.create",
    "google.sheets.row.append",
    "handoff",
    "mcp",
    "query",
    "sipRequest",
    "slack.message.send",
    "sms",
    "textEditor",
    "transferCall",
    "voicemail",
)

_BACKOFF = obj(
    {
        "type": one_of(("fixed", "exponential")),
        "maxRetries": number(0, 10),
        "baseDelaySeconds": number(0, 10),
        "excludedStatusCodes": array(number(100, 599)),
    },
    required=("type", "maxRetries", "baseDelaySeconds"),
)

# `secret` is left out on purpose: it was removed from the published schema on 2025-05-20.
SERVER = obj(
    {
        "url": text(),
        "timeoutSeconds": number(1, 300),
        "headers": free_object,
        "credentialId": text(),
        "staticIpAddressesEnabled": boolean,
        "encryptedPaths": array(text()),
        "backoffPlan": _BACKOFF,
    }
)

# `additionalProperties` is not in the published schema, but `strict` functions cannot do without it.
_PARAMETERS = obj(
    {
        "type": one_of(("object",)),
        "properties": free_object,
        "required": array(text()),
        "additionalProperties": anything,
    },
    required=("type", "properties"),
)

_FUNCTION = obj(
    {
        "name": text(longest=64, pattern=r"^[a-zA-Z0-9_-]{1,64}$"),
        "description": text(),
        "parameters": _PARAMETERS,
        "strict": boolean,
    },
    required=("name",),
)

_SAID: dict[str, Check] = {
    "type": anything,
    "content": text(longest=1000),
    "contents": array(free_object),
    "conditions": array(free_object),
}
_AFTERWARDS = {"role": one_of(("assistant", "system")), "endCallAfterSpokenEnabled": boolean}
_MESSAGES = {
    "request-start": obj({**_SAID, "blocking": boolean}),
    "request-complete": obj({**_SAID, **_AFTERWARDS}),
    "request-failed": obj({**_SAID, **_AFTERWARDS}),
    "request-response-delayed": obj({**_SAID, "timingMilliseconds": number(100, 120_000)}),
}
_MESSAGE_TYPE = one_of(_MESSAGES)


def _message(value: Any, path: str, problems: Problems) -> None:
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in _MESSAGES:
        _MESSAGE_TYPE(kind, f"{path}type.", problems)
    else:
        _MESSAGES[kind](value, path, problems)


_ALIAS = obj(
    {"key": text(longest=40, pattern=r"^[a-zA-Z][a-zA-Z0-9_]*$"), "value": text(longest=10_000)},
    required=("key", "value"),
)

_FUNCTION_TOOL = obj(
    {
        "type": anything,
        "async": boolean,
        "function": _FUNCTION,
        "server": SERVER,
        "parameters": array(obj({"key": text(), "value": anything}, required=("key",))),
        "messages": array(_message),
        "rejectionPlan": obj({"conditions": array(free_object)}),
        "variableExtractionPlan": obj({"schema": free_object, "aliases": array(_ALIAS)}),
    }
)

_TYPE = one_of(TOOL_TYPES)


def problems_of_new_tool(body: Any) -> Problems:
    """List what is wrong with the body of `POST /tool`; [] means that it is accepted."""
    problems: Problems = []
    if not isinstance(body, dict):
        return ["body must be an object"]
    if body.get("type") in TOOL_TYPES and body["type"] != "function":
        return problems
    _FUNCTION_TOOL(body, "", problems)
    _TYPE(body.get("type"), "type.", problems)
    return problems


def inline_tool(value: Any, path: str, problems: Problems) -> None:
    """Check a tool that stands in a model: of a known type, and a function tool like a saved one."""
    if not isinstance(value, dict):
        problems.append(f"{path[:-1]} must be an object")
        return
    _TYPE(value.get("type"), f"{path}type.", problems)
    if value.get("type") == "function":
        _FUNCTION_TOOL(value, path, problems)


def problems_of_tool_change(body: Any, stored_type: str) -> Problems:
    """List what is wrong with the body of `PATCH /tool/{id}`: as for a new one, but `type` may be left out.

    A `type` that is given must be the stored one (our choice: the real answer is not known).
    """
    problems: Problems = []
    if not isinstance(body, dict):
        return ["body must be an object"]
    if stored_type == "function":
        _FUNCTION_TOOL(body, "", problems)
    if "type" in body and body["type"] != stored_type:
        problems.append(f"type must be one of the following values: {stored_type}")
    return problems
