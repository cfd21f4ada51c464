"""A save gets its tools: registered once, linked, recorded, answered by one outcome."""

from uuid import uuid4

from tool_sync.domain.events import (
    AssistantLinked,
    AssistantLinkStarted,
    AssistantSynced,
    AssistantSyncFailed,
    SyncRequested,
    ToolRegistered,
    ToolRegistrationStarted,
)

from .world import World


async def test_a_save_registers_links_records_and_answers(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    request = await world.save(org, assistant)

    await world.sync()

    (tool,) = await world.tools()
    assert (await world.at_vapi(assistant["id"]))["model"] == {**assistant["model"], "toolIds": [tool["id"]]}
    (row,) = await world.org_tools(org)
    assert (row["tool_name"], row["vapi_tool_id"], row["enabled"]) == ("bookClinicAppointment", tool["id"], True)
    assert [type(e) for e in await world.events(org)] == [
        SyncRequested,
        ToolRegistrationStarted,
        ToolRegistered,
        AssistantLinkStarted,
        AssistantLinked,
        AssistantSynced,
    ]
    (outcome,) = await world.events(org, AssistantSynced)
    assert [r.request_id for r in outcome.requests] == [request]
    assert outcome.sequence == 1
    assert [t.vapi_tool_id for t in outcome.tools] == [tool["id"]]


async def test_a_second_save_of_an_unchanged_assistant_writes_nothing_and_still_gets_its_outcome(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.save(org, assistant)
    await world.sync()
    before = await world.writes()

    second = await world.save(org, assistant)
    await world.sync()

    assert await world.writes() == before
    outcome = (await world.events(org, AssistantSynced))[-1]
    assert ([r.request_id for r in outcome.requests], outcome.sequence) == ([second], 2)


async def test_assistants_of_one_org_share_its_tool(world: World) -> None:
    org = uuid4()
    assistants = [await world.assistant() for _ in range(5)]
    for n, assistant in enumerate(assistants):
        await world.save(org, assistant, f"agent-{n}")

    await world.sync()

    (tool,) = await world.tools()
    for assistant in assistants:
        assert (await world.at_vapi(assistant["id"]))["model"]["toolIds"] == [tool["id"]]
    outcomes = await world.events(org, AssistantSynced)
    assert sorted(o.sequence for o in outcomes) == [1, 2, 3, 4, 5]
    assert {o.agent_id for o in outcomes} == {f"agent-{n}" for n in range(5)}


async def test_250_open_saves_of_one_assistant_end_in_three_outcomes_of_one_run(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    requests = [await world.save(org, assistant) for _ in range(250)]

    await world.sync()

    outcomes = await world.events(org, AssistantSynced)
    assert [len(o.requests) for o in outcomes] == [100, 100, 50]
    assert [r.request_id for o in outcomes for r in o.requests] == requests
    assert [o.sequence for o in outcomes] == [1, 2, 3]


async def test_two_orgs_have_a_tool_each(world: World) -> None:
    orgs = [uuid4(), uuid4()]
    for org in orgs:
        await world.save(org, await world.assistant())

    await world.sync()

    ids = [(await world.org_tools(org))[0]["vapi_tool_id"] for org in orgs]
    assert len(set(ids)) == len(await world.tools()) == 2


async def test_a_foreign_link_and_unknown_fields_survive(world: World) -> None:
    org = uuid4()
    assistant = await world.assistant(
        model={
            "provider": "openai",
            "model": "gpt-4o",
            "toolIds": ["5d0d6c7e-2c7d-4a37-9f45-0d4f4f4f4f4f"],
            "messages": [{"role": "system", "content": "Be kind."}],
        }
    )
    await world.save(org, assistant)

    await world.sync()

    (tool,) = await world.tools()
    model = (await world.at_vapi(assistant["id"]))["model"]
    assert model == {**assistant["model"], "toolIds": ["5d0d6c7e-2c7d-4a37-9f45-0d4f4f4f4f4f", tool["id"]]}


async def test_an_assistant_that_is_gone_fails_by_name_and_the_next_save_of_a_new_one_succeeds(world: World) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.http.delete(f"/assistant/{assistant['id']}")
    request = await world.save(org, assistant)

    await world.sync()

    (failed,) = await world.events(org, AssistantSyncFailed)
    assert (failed.code, failed.look_at, failed.sequence) == ("TS-303", None, 1)
    assert [r.request_id for r in failed.requests] == [request]

    await world.save(org, await world.assistant())
    await world.sync()
    (synced,) = await world.events(org, AssistantSynced)
    assert synced.sequence == 2


async def test_an_assistant_without_a_model_fails_by_name(world: World) -> None:
    org = uuid4()
    answer = await world.http.post("/assistant", json={"name": "bare"})
    await world.save(org, answer.json())

    await world.sync()

    (failed,) = await world.events(org, AssistantSyncFailed)
    assert failed.code == "TS-304"
