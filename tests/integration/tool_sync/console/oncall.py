"""What happened to clinics, as events of a real log."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.log import Appended, AppendRequest, EventLog, Meta, NewEvent, org_stream, toolset_stream

from ..ordering import HASH, order_of, say, version

TOOL = "bookClinicAppointment"
META = Meta("cause", "correlation", None, "test", "1")
HOSTILE = ("<script>alert(1)</script>", 'a "quoted" \u202ename', "x" * 10_000)

NAME = """
INSERT INTO display_names (org_id, agent_id, name, searched, revision, log_id)
VALUES ($1, $2, $3, left($3, 200), 1, $1)
"""


@dataclass
class World:
    """All clinics of a log."""

    log: EventLog
    pool: db.Pool
    sequence: int = 0

    async def append(self, org_id: UUID, *events: e.Event) -> int:
        """One by one, each to its stream; the last one's position."""
        position = 0
        for event in events:
            stream = org_stream(org_id) if isinstance(event, e.OrgEvent) else toolset_stream(org_id)
            answer = await self.log.append(AppendRequest(stream, org_id, None, (NewEvent(uuid4(), event),), META))
            assert isinstance(answer, Appended)
            position = answer.first_position
        return position

    async def order(self) -> None:
        """The tool is ordered for everybody."""
        published = version(TOOL, 1, contract=1)
        await say(self.log, published, *order_of(published))

    async def clinic(self, name: str | None = None, agents: tuple[str, ...] = ("agent-1",)) -> UUID:
        """An open clinic that has the tool, with saves of these agents that wait."""
        org_id = uuid4()
        registered = e.ToolRegistered(uuid4(), "platform", TOOL, "tool-1", 1, HASH, HASH, adopted=False)
        await self.append(org_id, e.OrgRegistered("basic"), *map(save, agents), registered)
        if name is not None:
            await self.pool.execute(NAME, org_id, "", name)
        return org_id

    async def failed(self, org_id: UUID, code: str = "TS-301", agent_id: str = "agent-1", revision: int = 1) -> None:
        """The newest outcome of an assistant is a failure; it answers every save so far."""
        self.sequence += 1
        through = await self.head()
        await self.append(
            org_id,
            e.AssistantSyncFailed(
                agent_id, f"assistant-{agent_id}", revision, "platform", (), (e.ToolFailure(TOOL, code),), code, (),
                through, None, sequence=self.sequence,
            ),
        )  # fmt: skip

    async def synced(self, org_id: UUID, agent_id: str = "agent-1", cause: str | None = None) -> None:
        """The newest outcome of an assistant is a success."""
        self.sequence += 1
        tools = (e.ToolRef(TOOL, "tool-1", 1, HASH),)
        outcome = e.AssistantSynced(
            agent_id, f"assistant-{agent_id}", 1, "platform", tools, (), await self.head(), cause, self.sequence
        )
        await self.append(org_id, outcome)

    async def head(self) -> int:
        """The newest position."""
        return (await self.log.read(0, 1)).head

    async def pause_key(self, code: str = "TS-201") -> None:
        """The key that is in use is paused."""
        await self.pool.execute(
            "INSERT INTO vapi_keys (key, paused_until, half_open, opened_at, paused_since, pause_reason, pause_code) "
            "VALUES ('abcdef0123456789', clock_timestamp() + interval '1 minute', false, clock_timestamp(), "
            "clock_timestamp(), 'refused', $1)",
            code,
        )


def save(agent_id: str = "agent-1", revision: int = 1) -> e.SyncRequested:
    """A save of the agent is in Vapi."""
    return e.SyncRequested(uuid4(), agent_id, f"assistant-{agent_id}", revision, HASH, "save", None)
