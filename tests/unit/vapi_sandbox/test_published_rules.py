"""What the published documents refuse is refused: enums, ranges, fields of each provider."""

from __future__ import annotations

from typing import Any

import pytest

from .caller import Caller

MODEL = {"provider": "openai", "model": "gpt-4o"}
VOICE = {"provider": "11labs", "voiceId": "sarah"}
FUNCTION = {"type": "function", "function": {"name": "book"}}


def model(**fields: Any) -> dict[str, Any]:
    return {"model": {**MODEL, **fields}}


REFUSED: list[tuple[dict[str, Any], str]] = [
    (model(model="gpt-99"), "model.model must be one of the following values: "),
    (model(provider="anthropic"), "model.model must be one of the following values: "),
    (model(provider="custom-llm", url=7), "model.url must be a string"),
    (model(temperature=2.1), "model.temperature must not be greater than 2"),
    (model(temperature=-1), "model.temperature must not be less than 0"),
    (model(temperature="warm"), "model.temperature must be a number"),
    (model(maxTokens=49), "model.maxTokens must not be less than 50"),
    (model(maxTokens=10_001), "model.maxTokens must not be greater than 10000"),
    (model(numFastTurns=-1), "model.numFastTurns must not be less than 0"),
    (model(emotionRecognitionEnabled="yes"), "model.emotionRecognitionEnabled must be a boolean value"),
    (model(reasoningEffort="heroic"), "model.reasoningEffort must be one of the following values: "),
    (model(fallbackModels=["gpt-99"]), "model.fallbackModels.0 must be one of the following values: "),
    (model(promptCacheKey="k" * 65), "model.promptCacheKey must be shorter than or equal to 64 characters"),
    (model(thinking={}), "model.property thinking should not exist"),
    (model(newField=1), "model.property newField should not exist"),
    (model(messages=[{"role": "narrator", "content": "x"}]), "model.messages.0.role must be one of"),
    (model(messages=[{"role": "user", "content": 5}]), "model.messages.0.content must be a string"),
    (model(messages=[{"content": "x"}]), "model.messages.0.role must be a string"),
    (
        model(messages=[{"role": "user", "content": "x", "name": "Ada"}]),
        "model.messages.0.property name should not exist",
    ),
    (model(messages="x"), "model.messages must be an array"),
    (model(toolRefs=[{"toolId": "t", "version": "v1"}]), "model.toolRefs.0.toolId must be a UUID"),
    (model(tools=[{"type": "newKind"}]), "model.tools.0.type must be one of the following values: "),
    (model(tools=[{}]), "model.tools.0.type must be a string"),
    (model(tools=[None]), "model.tools.0 must be an object"),
    (model(tools=[{**FUNCTION, "function": {"name": "a b"}}]), "model.tools.0.function.name must match"),
    (model(tools=[{**FUNCTION, "name": "book"}]), "model.tools.0.property name should not exist"),
    ({"voice": {"provider": "x", "voiceId": "y"}}, "voice.provider must be one of: "),
    ({"voice": {"voiceId": "y"}}, "voice.provider must be one of: "),
    ({"voice": {"provider": ["11labs"]}}, "voice.provider must be one of: "),
    (
        {"voice": {"provider": "vapi", "voiceId": "Elliot", "enableSsmlParsing": True}},
        "voice.property enableSsmlParsing",
    ),
    ({"voice": {**VOICE, "speed": 3}}, "voice.speed must not be greater than 1.2"),
    ({"voice": {**VOICE, "stability": -0.1}}, "voice.stability must not be less than 0"),
    ({"voice": {**VOICE, "model": "eleven_v0"}}, "voice.model must be one of the following values: "),
    ({"voice": {"provider": "sesame", "voiceId": "x"}}, "voice.model must be one of"),
    ({"voice": "sarah"}, "voice must be an object"),
    ({"transcriber": {"provider": "ear"}}, "transcriber.provider must be one of: "),
    ({"transcriber": {"provider": "deepgram", "endpointing": 5}}, "transcriber.endpointing must not be less than 10"),
    ({"transcriber": {"provider": "deepgram", "speed": 1}}, "transcriber.property speed should not exist"),
    ({"serverMessages": ["tool-calls", "gossip"]}, "serverMessages.1 must be one of the following values: "),
    ({"serverMessages": "tool-calls"}, "serverMessages must be an array"),
    ({"clientMessages": ["end-of-call-report"]}, "clientMessages.0 must be one of the following values: "),
    ({"firstMessageMode": "silence"}, "firstMessageMode must be one of the following values: "),
    ({"endCallMessage": "x" * 1001}, "endCallMessage must be shorter than or equal to 1000 characters"),
    ({"endCallPhrases": ["x"]}, "endCallPhrases.0 must be longer than or equal to 2 characters"),
    ({"endCallPhrases": ["x" * 141]}, "endCallPhrases.0 must be shorter than or equal to 140 characters"),
    ({"analysisPlan": []}, "analysisPlan must be an object"),
    ({"voicemailDetection": "on"}, "voicemailDetection must be off or an object"),
    ({"credentials": [1]}, "credentials.0 must be an object"),
]


@pytest.mark.parametrize(("body", "sentence"), REFUSED, ids=[sentence[:60] for _, sentence in REFUSED])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_what_the_documents_refuse_is_refused(
    vapi: Caller, method: str, body: dict[str, Any], sentence: str
) -> None:
    path = "/assistant" if method == "POST" else f"/assistant/{(await vapi.assistant())['id']}"
    problems = await vapi.problems(path, body, method)
    assert any(problem.startswith(sentence) for problem in problems), problems


@pytest.mark.parametrize(
    "body",
    [
        model(model="gpt-6-luna"),  # of the SDK, newer than the OpenAPI document
        model(provider="custom-llm", model="anything", url="https://llm.example.test"),
        model(provider="openrouter", model="any/thing"),
        {"model": {"provider": "vapi"}},  # the one provider whose model has no name
        model(temperature=0, maxTokens=50, messages=[{"role": "system", "content": None}]),
        model(temperature=2.0, maxTokens=10_000, messages=[]),
        model(messages=[{"role": "system", "content": [{"type": "text", "text": "Be kind."}]}]),
        model(temperature=None, tools=None, messages=None, maxTokens=None),
        model(tools=[{"type": "endCall", "note": {"a": None}}, {**FUNCTION, "async": None, "server": None}]),
        model(toolIds=["not-a-uuid"], knowledgeBase={"of": ["anybody", None]}),
        {"voice": {**VOICE, "stability": 0.5, "chunkPlan": {"new": 1}}},
        {"voice": {"provider": "custom-voice", "server": {"url": "https://voice.example.test"}}},
        {"transcriber": {"provider": "deepgram", "model": "nova-2", "language": "de"}},
        {"serverMessages": [], "clientMessages": ["tool-calls"], "firstMessageMode": "assistant-waits-for-user"},
        {"serverMessages": ['transcript[transcriptType="final"]', "tool-calls"]},
        {"voicemailDetection": "off", "backgroundSound": "office", "voice": None},
    ],
)
async def test_what_the_documents_allow_or_do_not_look_into_is_stored_as_it_came(
    vapi: Caller, body: dict[str, Any]
) -> None:
    made = await vapi.create("/assistant", body)
    assert {name: made[name] for name in body} == body
    answer = await vapi.http.patch(f"/assistant/{made['id']}", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["latestVersion"] == "v1"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"messages": [{"type": "request-start", "timingMilliseconds": 100}]},
            "messages.0.property timingMilliseconds",
        ),
        ({"messages": [{"type": "request-response-delayed", "blocking": True}]}, "messages.0.property blocking"),
        ({"messages": [{"type": "request-complete", "role": "user"}]}, "messages.0.role must be one of"),
        ({"messages": [{"type": "request-never"}]}, "messages.0.type must be one of"),
        ({"messages": ["hello"]}, "messages.0.type must be one of"),
        (
            {"variableExtractionPlan": {"aliases": [{"key": "1st", "value": "x"}]}},
            "variableExtractionPlan.aliases.0.key",
        ),
        ({"variableExtractionPlan": {"aliases": [{"key": "a"}]}}, "variableExtractionPlan.aliases.0.value"),
    ],
)
async def test_a_tool_is_checked_by_its_document_too(vapi: Caller, fields: dict[str, Any], sentence: str) -> None:
    problems = await vapi.problems("/tool", {**FUNCTION, **fields})
    assert any(problem.startswith(sentence) for problem in problems), problems
