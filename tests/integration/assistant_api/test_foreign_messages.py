"""What teams keep in an assistant beside ours survives a save: seen at Vapi."""

from typing import Any, Final

import pytest

from assistant_api.prompt.lines import BEGIN, END

from .harness import Harness

PARTS: Final = {"role": "system", "content": [{"type": "text", "text": "You are the receptionist."}]}
MODELS: Final[dict[str, tuple[dict[str, Any], list[Any]]]] = {
    "a list of parts": ({"messages": [PARTS]}, [PARTS]),
    "null": ({"messages": [{"role": "system", "content": None}]}, [{"role": "system", "content": None}]),
    "parts and a text": (
        {"messages": [PARTS, {"role": "system", "content": "Second."}]},
        [PARTS, {"role": "system", "content": "Second."}],
    ),
    "a block in another role": (
        {"messages": [{"role": "user", "content": f"{BEGIN}\ncopied\n{END}"}]},
        [{"role": "user", "content": f"{BEGIN}\ncopied\n{END}"}],
    ),
}


async def _adopted(harness: Harness, model: dict[str, Any], **values: Any) -> str:
    # What the API refuses today may be stored from before: it is put there as such.
    stored = {key: value for key, value in model.items() if key == "systemPrompt"}
    model = {key: value for key, value in model.items() if key not in stored}
    body = {"name": "Hand-made", "model": {"provider": "openai", "model": "gpt-4o", **model}}
    answer = await harness.vapi.api.post("/assistant", json=body)
    assert answer.status_code == 201, answer.text
    assistant_id: str = answer.json()["id"]
    if stored:
        edit = {"kind": "external_edit", "merge": {"model": stored}}
        await harness.vapi.break_route("GET /assistant/{id}", edit, times=1)
        await harness.vapi.assistant(assistant_id)
    org_id = await harness.organization()
    saved = await harness.post(
        "/api/agents", {"id": "a", "name": "A", "orgId": str(org_id), "vapiAssistantId": assistant_id, **values}
    )
    assert saved.status_code == 200, saved.text
    return assistant_id


@pytest.mark.parametrize("prompt", [{}, {"systemPrompt": "Be kind."}], ids=["none", "own"])
@pytest.mark.parametrize(("model", "foreign"), MODELS.values(), ids=MODELS.keys())
async def test_messages_that_are_not_ours_are_not_rewritten(
    harness: Harness, model: dict[str, Any], foreign: list[Any], prompt: dict[str, Any]
) -> None:
    assistant_id = await _adopted(harness, model, **prompt)

    once = (await harness.vapi.assistant(assistant_id))["model"]["messages"]
    assert [message for message in once if message in foreign] == foreign
    (ours,) = [message for message in once if message not in foreign]
    assert (ours["role"], ours["content"].count(BEGIN), ours["content"].count(END)) == ("system", 1, 1)
    assert ours["content"].startswith("Be kind." if prompt else BEGIN)
    written = len(await harness.vapi.writes())

    await harness.post("/api/assistants/sync", {"agentId": "a"})

    assert (await harness.vapi.assistant(assistant_id))["model"]["messages"] == once
    assert len(await harness.vapi.writes()) == written


async def test_a_legacy_system_prompt_is_not_lost(harness: Harness) -> None:
    assistant_id = await _adopted(harness, {"systemPrompt": "You are the receptionist."})

    model = (await harness.vapi.assistant(assistant_id))["model"]

    (message,) = model["messages"]
    assert message["content"].startswith(f"You are the receptionist.\n\n{BEGIN}")
    assert "systemPrompt" not in model
