import json, pathlib
from uuid import uuid4
from tool_sync.blueprint import publish
from tool_sync.domain.events import *
from .conftest import World


async def test_dump(world: World) -> None:
    org = uuid4()
    await publish(world.log, world.context.blueprint, "1")
    await world.append(org, OrgRegistered("basic"))
    a = await world.assistant()
    await world.save(org, a)
    await world.sync()
    await world.append(org, TrafficSplitSeen("agent-1", a["id"], ("v1",)))
    await world.sync()
    await world.append(org, TrafficSplitSeen("agent-1", a["id"], None))

    async def ok():
        return isinstance((await world.outcomes(org))[-1], AssistantSynced)

    await world.until(ok)
    (tool,) = await world.tools()
    await world.append(org, ToolDriftSeen("platform", "bookClinicAppointment", tool["id"], False))
    await world.sync()
    await world.http.delete(f"/tool/{tool['id']}")
    await world.append(org, ToolDriftSeen("platform", "bookClinicAppointment", tool["id"], True))
    await world.sync()
    b = await world.assistant(serverMessages=["transcript"])
    await world.save(org, b, "agent-2")
    await world.sync()
    await world.append(org, ToolSettingChanged("bookClinicAppointment", False))
    await world.sync()
    await world.append(org, ToolSettingChanged("bookClinicAppointment", True))
    await world.sync()
    await world.append(org, AssistantRemoved("agent-1", a["id"], 1))
    await world.append(org, OrgClosed())
    await world.sync()
    await world.append(org, OrgRegistered("professional"))
    await world.save(org, await world.at_vapi(a["id"]), revision=2)
    await world.sync()
    rows = await world.pool.fetch(
        "SELECT position, stream, version, event_id::text, org_id::text, type, schema, data, meta, encode(hash,'hex') AS hash, to_jsonb(recorded_at) AS recorded_at FROM events ORDER BY position"
    )
    out = pathlib.Path("/tmp/reach.jsonl")
    out.write_text("".join(json.dumps(dict(r), separators=(",", ":")) + "\n" for r in rows))
    print(len(rows), {r["type"] for r in rows})
    print(
        [
            (type(o).__name__, getattr(o, "code", None) or getattr(o, "reason", None), o.cause, o.sequence)
            for o in await world.outcomes(org)
        ]
    )
