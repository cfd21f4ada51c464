"""What a step writes into the row. Each function is one statement and is true for the right holder only.

A token is the lease; an attempt id is the fence around one write to Vapi: its answer counts only while the row still
names the attempt. Whoever lost either has nothing to say any more, and False tells so.
"""

# ruff: noqa: S608 - the statements are put together from constants of this module

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from assistant_api.db import Connection
from assistant_api.vapi.answers import Later
from zerotouch_contracts.errors import ErrorCode

_KEY: Final = "WHERE org_id = $1 AND id = $2"
_RELEASE: Final = "lease_token = NULL, lease_until = NULL"
_NO_ATTEMPT: Final = "attempt_id = NULL, attempt_at = NULL, attempt_creates = NULL"
_WELL: Final = "failures = 0, failure_code = NULL"

_BEGIN: Final = f"""
UPDATE agents SET attempt_id = $4, attempt_at = clock_timestamp(), attempt_creates = $5
{_KEY} AND lease_token = $3 AND vapi_assistant_id IS NOT DISTINCT FROM $6
"""
_ANSWERED: Final = f"""
UPDATE agents SET vapi_assistant_id = $4, provisioner_writes = provisioner_writes + 1,
       vapi_made = vapi_made OR coalesce(attempt_creates, false), vapi_seen = true,
       provisioned_revision = greatest(provisioned_revision, $5), model_hash = $6,
       block_hash = $7, provision_traceparent = $8, refusal = '{{}}', {_WELL}, {_NO_ATTEMPT}, {_RELEASE}
{_KEY} AND attempt_id = $3
"""
_UNCHANGED: Final = f"""
UPDATE agents SET vapi_seen = true, provisioned_revision = greatest(provisioned_revision, $5), model_hash = $6,
       block_hash = $7, provision_traceparent = $8, refusal = '{{}}', {_WELL}, {_NO_ATTEMPT}, {_RELEASE}
{_KEY} AND lease_token = $3 AND vapi_assistant_id = $4
"""
_REFUSED: Final = f"""
UPDATE agents SET refused_revision = greatest(refused_revision, $4), refusal = $5, failures = 0, failure_code = $6,
       {_NO_ATTEMPT}, {_RELEASE}
{_KEY} AND lease_token = $3
"""
# A creation that is closed while nobody knows what became of it is noted for the sweep: it may still land.
_NOTED: Final = f"""
WITH noted AS (
    INSERT INTO unanswered_creations (attempt_id, org_id, agent_id, vapi_account, attempt_at)
    SELECT attempt_id, org_id, id, vapi_account, attempt_at FROM agents
    {_KEY} AND lease_token = $3 AND attempt_creates
    ON CONFLICT DO NOTHING
)
"""
# Made by us where an attempt of ours says so in its metadata: the open one, or one that was closed without an answer.
_LANDED: Final = f"""
UPDATE agents a SET vapi_assistant_id = $4, vapi_seen = true, provisioner_writes = provisioner_writes + 1,
       vapi_made = coalesce(attempt_creates AND attempt_id = $5, false) OR EXISTS (
           SELECT FROM unanswered_creations u WHERE u.attempt_id = $5 AND u.org_id = a.org_id AND u.agent_id = a.id),
       {_NO_ATTEMPT}
{_KEY} AND lease_token = $3
"""
_TAKEN_UP: Final = f"""
UPDATE agents SET vapi_assistant_id = $4, vapi_made = $5, vapi_seen = true, provisioner_writes = provisioner_writes + 1,
       {_NO_ATTEMPT}
{_KEY} AND lease_token = $3 AND vapi_assistant_id IS NULL
"""
_ADOPTED: Final = f"{_NOTED} {_LANDED}"
_SETTLED: Final = f"{_NOTED} UPDATE agents SET {_NO_ATTEMPT} {_KEY} AND lease_token = $3"
_FORGOTTEN: Final = f"""
UPDATE agents SET vapi_assistant_id = NULL, vapi_made = false, vapi_seen = false,
       provisioner_writes = provisioner_writes + 1, {_NO_ATTEMPT}
{_KEY} AND lease_token = $3 AND vapi_assistant_id = $4
"""
_LATER: Final = f"""
UPDATE agents SET next_due = now() + make_interval(secs => $4), failures = failures + $6, failure_code = $5,
       {_NO_ATTEMPT}, {_RELEASE}
{_KEY} AND lease_token = $3
"""
_WAIT: Final = f"""
UPDATE agents SET next_due = attempt_at + make_interval(secs => $4), {_RELEASE} {_KEY} AND lease_token = $3
"""
_UNKNOWN: Final = f"""
UPDATE agents SET next_due = attempt_at + make_interval(secs => $4), failures = failures + $6, failure_code = $5,
       {_RELEASE}
{_KEY} AND lease_token = $3
"""


@dataclass(frozen=True, slots=True)
class Written:
    """A revision that is at Vapi: its model, by the canonical hash, and the block in it."""

    revision: int
    model_hash: str
    block_hash: str
    traceparent: str

    @property
    def columns(self) -> tuple[int, str, str, str]:
        """As the statements take them."""
        return self.revision, self.model_hash, self.block_hash, self.traceparent


class AgentRow:
    """One agent's row, as the holder of ``token`` writes it."""

    def __init__(self, connection: Connection, org_id: UUID, agent_id: str, token: UUID) -> None:
        self._connection = connection
        self._key = (org_id, agent_id)
        self._token = token

    async def begin_attempt(self, attempt_id: UUID, assistant_id: str | None) -> bool:
        """Write down that a write to Vapi is about to be sent; without an assistant it creates one."""
        return await self._one(_BEGIN, self._token, attempt_id, assistant_id is None, assistant_id)

    async def answered(self, attempt_id: UUID, assistant_id: str, written: Written) -> bool:
        """Vapi's answer to an attempt: its revision is there. The trigger says the rest."""
        return await self._one(_ANSWERED, attempt_id, assistant_id, *written.columns)

    async def unchanged(self, assistant_id: str, written: Written) -> bool:
        """What Vapi has is the revision already."""
        return await self._one(_UNCHANGED, self._token, assistant_id, *written.columns)

    async def refused(self, revision: int, reasons: Sequence[str], code: ErrorCode) -> bool:
        """Vapi does not take ``revision``, or its assistant is somebody else's; only another save can help."""
        return await self._one(_REFUSED, self._token, revision, list(reasons), code.value)

    async def adopted(self, assistant_id: str, made_by: UUID | None, *, landed: bool) -> bool:
        """An earlier attempt made an assistant: it is ours. ``landed``: it was the open one, so no more will come.

        ``made_by`` is the attempt that its metadata names; a copy that somebody made by hand may name any.
        """
        return await self._one(_LANDED if landed else _ADOPTED, self._token, assistant_id, made_by)

    async def taken_up(self, assistant_id: str, *, made: bool) -> bool:
        """The agent had this assistant before the database was restored. ``made``: an attempt of ours made it."""
        return await self._one(_TAKEN_UP, self._token, assistant_id, made)

    async def settled(self) -> bool:
        """An attempt can no longer land; what Vapi has now is what counts."""
        return await self._one(_SETTLED, self._token)

    async def forgotten(self, assistant_id: str) -> bool:
        """Our assistant is gone at Vapi: the next step makes a new one."""
        return await self._one(_FORGOTTEN, self._token, assistant_id)

    async def later(self, delay_seconds: float, reason: Later) -> bool:
        """Nothing was done at Vapi; due again after the delay. What counts makes the next delay longer."""
        return await self._one(_LATER, self._token, delay_seconds, reason.code.value, int(reason.counts_as_attempt))

    async def wait(self, settle_seconds: float) -> bool:
        """An attempt is open and young; due when it can no longer land."""
        return await self._one(_WAIT, self._token, settle_seconds)

    async def unknown(self, settle_seconds: float, reason: Later) -> bool:
        """The attempt stays open; due again when it can no longer land."""
        return await self._one(_UNKNOWN, self._token, settle_seconds, reason.code.value, int(reason.counts_as_attempt))

    async def _one(self, statement: str, *arguments: object) -> bool:
        return str(await self._connection.execute(statement, *self._key, *arguments)) == "UPDATE 1"
