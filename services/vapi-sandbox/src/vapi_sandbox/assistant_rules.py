"""Which bodies `POST /assistant` and `PATCH /assistant/{id}` accept (API schema of 2026-08-20, Python SDK 3.0.0).

The root is a whitelist, and so are `model`, `voice` and `transcriber` by their `provider`: real refusals name both
(`property tools should not exist`, `voice.property enableSsmlParsing should not exist`).

Where the documents are silent or disagree with what is seen, this is lenient:
- null counts as not given, at every depth, and is stored as it came;
- plans, `knowledgeBase`, `hooks`, `credentials` and inline tools other than functions are any objects;
- the `content` of a message may be an array: the schema has a string or null, but assistants with arrays are seen;
- `toolIds` are any strings.
"""

from __future__ import annotations

from typing import Any

from vapi_sandbox.checks import (
    Check,
    Problems,
    array,
    boolean,
    free_object,
    number,
    obj,
    one_of,
    text,
    uuid,
)
from vapi_sandbox.published import CLIENT_MESSAGES, SERVER_MESSAGES, union
from vapi_sandbox.tool_rules import SERVER, inline_tool

ROLES = ("assistant", "function", "user", "system", "tool")
FIRST_MESSAGE_MODES = (
    "assistant-speaks-first",
    "assistant-speaks-first-with-model-generated-message",
    "assistant-waits-for-user",
)

_TEXT = text()
_SPOKEN = text(longest=1000)


def _content(value: Any, path: str, problems: Problems) -> None:
    if not (value is None or isinstance(value, str | list)):
        problems.append(f"{path[:-1]} must be a string")


_MODEL = union(
    "model",
    {
        "messages": array(obj({"role": one_of(ROLES), "content": _content}, required=("role", "content"))),
        "toolIds": array(_TEXT),
        "toolRefs": array(obj({"toolId": uuid, "version": _TEXT}, required=("toolId", "version"))),
        "tools": array(inline_tool),
    },
)


def _off_or_plan(value: Any, path: str, problems: Problems) -> None:
    if value != "off" and not isinstance(value, dict):
        problems.append(f"{path[:-1]} must be off or an object")


_FIELDS: dict[str, Check] = {
    "model": _MODEL,
    "name": text(longest=40),
    "metadata": free_object,
    "server": SERVER,
    "voice": union("voice"),
    "transcriber": union("transcriber"),
    "firstMessage": _TEXT,
    "firstMessageInterruptionsEnabled": boolean,
    "firstMessageMode": one_of(FIRST_MESSAGE_MODES),
    "voicemailMessage": _SPOKEN,
    "voicemailDetection": _off_or_plan,
    "endCallMessage": _SPOKEN,
    "endCallPhrases": array(text(shortest=2, longest=140)),
    "clientMessages": array(one_of(CLIENT_MESSAGES)),
    "serverMessages": array(one_of(SERVER_MESSAGES)),
    "maxDurationSeconds": number(10, 43_200),
    "modelOutputInMessagesEnabled": boolean,
    "backgroundSound": _TEXT,
    "credentialIds": array(_TEXT),
    "credentials": array(free_object),
    "transportConfigurations": array(free_object),
    "hooks": array(free_object),
} | dict.fromkeys(
    (
        "analysisPlan",
        "artifactPlan",
        "backgroundSpeechDenoisingPlan",
        "compliancePlan",
        "keypadInputPlan",
        "monitorPlan",
        "observabilityPlan",
        "startSpeakingPlan",
        "stopSpeakingPlan",
    ),
    free_object,
)

_ASSISTANT = obj(_FIELDS)


def problems_of_assistant(body: Any) -> Problems:
    """List what is wrong with the body of a create or change (both take the same fields, none is required)."""
    problems: Problems = []
    _ASSISTANT(body, "", problems)
    return problems
