"""assistant-api, wrong in how it writes to Vapi. Each function breaks the process that it runs in, in one way."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.checker.selftest.ports import port, put


def assistants_blind_retry() -> None:
    """assistant-api sends a POST again whose answer it did not hear."""
    from assistant_api.vapi.answers import Unknown
    from assistant_api.vapi.client import VapiClient

    original = port(VapiClient, "create")

    async def create(self: Any, *arguments: Any) -> Any:
        answer = await original(self, *arguments)
        return await original(self, *arguments) if isinstance(answer, Unknown) else answer

    put(VapiClient, "create", create)


def assistants_without_links() -> None:
    """assistant-api saves a model without the tool ids that it found in it."""
    from assistant_api.vapi.client import VapiClient

    original = port(VapiClient, "update")

    async def update(self: Any, assistant_id: str, body: Any, *ticket: Any) -> Any:
        model = {name: value for name, value in (body.get("model") or {}).items() if name != "toolIds"}
        return await original(self, assistant_id, {**body, "model": model} if model else body, *ticket)

    put(VapiClient, "update", update)


def knows_anothers_tools() -> None:
    """assistant-api makes assistants with the tools that it heard of last, whosever they are."""
    from assistant_api import known_tools

    async def read(connection: Any, org_id: Any) -> Any:
        row = await connection.fetchrow("SELECT * FROM known_tools WHERE org_id <> $1 ORDER BY stored_at DESC", org_id)
        return None if row is None else known_tools.KnownTools(row["vapi_account"], tuple(row["tool_ids"]), 0.0)

    port(known_tools, "read")
    put(known_tools, "read", read)


def outbox_deleted_before_confirmed() -> None:
    """assistant-api forgets a page of its outbox before Kafka has confirmed it."""
    from assistant_api.relay.loop import Relay
    from assistant_api.relay.page import delete_page

    original = port(Relay, "_send")

    async def send(self: Any, producer: Any, rows: Any) -> None:
        async with self._database.connection() as connection:
            await delete_page(connection, rows)
        await original(self, producer, rows)

    put(Relay, "_send", send)


def release_not_verified() -> None:
    """assistant-api takes itself out of an assistant by one write, and never looks whether it took place."""
    from assistant_api.removals.release import Clean, Releases

    original = port(Releases, "_write")

    async def write(self: Any, removal: Any, change: Any) -> Any:
        await original(self, removal, change)
        return Clean()

    put(Releases, "_write", write)


def adopted_deleted() -> None:
    """assistant-api deletes the assistant that an agent had, whoever made it."""
    from assistant_api.removals.step import RemovalSteps

    put(RemovalSteps, "_release", port(RemovalSteps, "_delete_all"))


def restores_without_looking() -> None:
    """After a restore an agent takes nothing up that the rows have lost."""
    from assistant_api.provisioner import step

    async def nothing(*_: Any) -> None:
        """Nothing was lost."""

    put(step, "oldest_lost", nothing)


def assistants_in_our_time() -> None:
    """A lost creation is looked for by our clock, whatever Vapi's shows."""
    from zerotouch_platform.vapi.clock import VapiClock

    def around(_self: Any, age_seconds: float, margin: timedelta, **_: Any) -> tuple[datetime, None]:
        return datetime.now(UTC) - timedelta(seconds=age_seconds) - margin, None

    put(VapiClock, "around", around)
