"""What else comes to the webhook's URL: 200, logged once for each kind, and an answer where a call waits for one."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from assistant_api.limits import BLOCK_CHARACTERS_MAX, PROMPT_CHARACTERS_MAX
from assistant_api.prompt.lines import BEGIN
from devstack.databases import DatabaseUrls
from devstack.sandbox import Sandbox

from ..harness import Vapi, make_settings, running
from .calling import TOKENS, Caller, booking, call, message, shaped

PLANTED = "Zq7Canary"

INFORMATION = [
    "assistant.speechStarted",
    "call.artifact.upload",
    "call.deleted",
    "call.endpointing.request",
    "chat.created",
    "conversation-update",
    "end-of-call-report",
    "hang",
    "model-output",
    "phone-call-control",
    "session.updated",
    "speech-update",
    "status-update",
    "transcript",
    'transcript[transcriptType="final"]',
    "transfer-update",
    "user-interrupted",
    "voice-input",
]


def _message(kind: Any) -> dict[str, Any]:
    return {"message": {"type": kind, "call": {"id": "x"}, "transcript": PLANTED, "artifact": {"messages": [PLANTED]}}}


@pytest.mark.parametrize("kind", INFORMATION)
async def test_information_is_taken(caller: Caller, kind: str) -> None:
    assert shaped(await caller.send(_message(kind))) == []


@pytest.mark.parametrize("kind", ["assistant-request", "transfer-destination-request", "handoff-destination-request"])
async def test_who_waits_for_a_decision_hears_a_sentence(caller: Caller, kind: str) -> None:
    answer = await caller.send(_message(kind))

    assert answer.status_code == 200
    assert set(answer.json()) == {"error"}
    assert answer.json()["error"].endswith(".")


async def test_who_asks_for_knowledge_gets_no_documents(caller: Caller) -> None:
    assert (await caller.send(_message("knowledge-base-request"))).json() == {"documents": []}


async def test_a_kind_is_logged_once_and_nothing_of_what_is_in_it(caller: Caller) -> None:
    with capture_logs() as lines:
        for kind in ("status-update", "status-update", "hang", 'transcript[transcriptType="final"]', "transcript"):
            await caller.send(_message(kind))

    told = [line for line in lines if line["event"] == "vapi_message_of_another_kind"]
    assert [line["kind"] for line in told] == ["status-update", "hang", "transcript"]
    assert PLANTED not in repr(lines)


async def test_kinds_that_somebody_makes_up_do_not_fill_the_log(caller: Caller) -> None:
    with capture_logs() as lines:
        for number in range(100):
            await caller.send(_message("x" * (number % 40 + 1) + "." * (number // 40)))
        for odd in (7, None, [PLANTED], {PLANTED: 1}, f"{PLANTED} with spaces", "x" * 10_000, "", "Ü", "a\nb"):
            assert (await caller.send(_message(odd))).status_code == 200

    told = [line["kind"] for line in lines if line["event"] == "vapi_message_of_another_kind"]
    assert len(told) == len(set(told)) == 64
    assert PLANTED not in repr(lines)


async def test_other_messages_need_the_credential_too(caller: Caller) -> None:
    assert (await caller.send(_message("assistant-request"), {})).status_code == 401


@pytest.mark.parametrize("letter", ["x", "ü", "😀", '"', "\n"], ids=["ascii", "umlaut", "emoji", "quote", "newline"])
async def test_a_call_with_the_longest_prompt_is_answered(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi, letter: str
) -> None:
    settings = make_settings(assistant_api_db, sandbox, vapi_webhook_tokens=TOKENS[0])
    async with running(settings, assistant_api_db, vapi) as harness:
        caller, org_id = Caller(harness), await harness.organization()
        saved = await harness.agent(org_id, systemPrompt=letter * PROMPT_CHARACTERS_MAX)
        assistant = await vapi.assistant(saved["assistantId"])
        prompt = assistant["model"]["messages"][0]["content"]
        assert prompt.startswith(letter * PROMPT_CHARACTERS_MAX)
        assert BEGIN in prompt
        prompt += "x" * (PROMPT_CHARACTERS_MAX + BLOCK_CHARACTERS_MAX - len(prompt))
        assistant["model"]["messages"][0]["content"] = prompt
        body = message(call(booking(org_id)))
        body["message"] |= {
            "assistant": assistant,
            "artifact": {
                "messages": [{"role": "system", "message": prompt}],
                "messagesOpenAIFormatted": [{"role": "system", "content": prompt}],
                "transcript": "AI: How can I help? User: I need an appointment.\n" * 2000,
            },
        }
        body["message"]["call"] |= {"assistant": assistant, "assistantOverrides": assistant}

        (entry,) = shaped(await caller.send(body))

        assert entry["result"].startswith("Booked for")
