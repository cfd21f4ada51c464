"""Which bodies `POST /assistant` and `PATCH /assistant/{id}` accept (field names of the Python SDK 3.0.0).

The root is a whitelist. Inside `model` only what linking depends on is checked: whatever else stands there (fields
newer than this file, inline tools, nulls) is stored as it came, because our services must prove that they carry it.
"""

from __future__ import annotations

from typing import Any

from vapi_sandbox.checks import Check, Problems, anything, array, boolean, free_object, number, obj, one_of, text
from vapi_sandbox.tool_rules import SERVER

PROVIDERS = (
    "anthropic",
    "anthropic-bedrock",
    "anyscale",
    "cerebras",
    "custom-llm",
    "deepinfra",
    "deep-seek",
    "google",
    "groq",
    "inflection-ai",
    "minimax",
    "openai",
    "openrouter",
    "perplexity-ai",
    "together-ai",
    "vapi",
    "xai",
)

_PROVIDER = one_of(PROVIDERS, dotted=True)
_TEXT = text()
_TOOL_IDS = array(_TEXT)
_TOOL_REF = obj({"toolId": _TEXT, "version": _TEXT}, required=("toolId", "version"))
_TOOL_REFS = array(_TOOL_REF)
_INLINE_TOOLS = array(free_object)


def _model(value: Any, path: str, problems: Problems) -> None:
    if not isinstance(value, dict):
        problems.append("model must be an object")
        return
    _PROVIDER(value.get("provider"), "model.provider.", problems)
    _TEXT(value.get("model"), "model.model.", problems)
    if value.get("provider") == "custom-llm":
        _TEXT(value.get("url"), "model.url.", problems)
    for name, check in (("toolIds", _TOOL_IDS), ("toolRefs", _TOOL_REFS), ("tools", _INLINE_TOOLS)):
        if value.get(name) is not None:
            check(value[name], f"model.{name}.", problems)


_FIELDS: dict[str, Check] = {
    "model": _model,
    "name": text(longest=40),
    "metadata": free_object,
    "server": SERVER,
    "voice": free_object,
    "transcriber": free_object,
    "firstMessage": _TEXT,
    "firstMessageInterruptionsEnabled": boolean,
    "firstMessageMode": _TEXT,
    "voicemailMessage": _TEXT,
    "endCallMessage": _TEXT,
    "endCallPhrases": array(_TEXT),
    "clientMessages": anything,
    "serverMessages": anything,
    "maxDurationSeconds": number(10, 43_200),
    "modelOutputInMessagesEnabled": boolean,
    "credentialIds": array(_TEXT),
    "hooks": array(free_object),
} | dict.fromkeys(
    (
        "analysisPlan",
        "artifactPlan",
        "backgroundSound",
        "backgroundSpeechDenoisingPlan",
        "compliancePlan",
        "credentials",
        "keypadInputPlan",
        "monitorPlan",
        "observabilityPlan",
        "startSpeakingPlan",
        "stopSpeakingPlan",
        "transportConfigurations",
        "voicemailDetection",
    ),
    anything,
)

_ASSISTANT = obj(_FIELDS)


def problems_of_assistant(body: Any) -> Problems:
    """List what is wrong with the body of a create or change (both take the same fields, none is required)."""
    problems: Problems = []
    _ASSISTANT(body, "", problems)
    return problems
