"""The lease on an agent, and the row as its step sees it.

Due is what `saved_revision > greatest(provisioned_revision, refused_revision)` says, whoever wrote the row. Saves come
before bulk work, in turns of clinics; bulk work leaves some places free for them.
"""

# ruff: noqa: S608 - the statements are put together from constants of this module

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import uuid_utils.compat as uuids

from assistant_api.db import Connection
from assistant_api.document import AssistantSpec
from assistant_api.prompt.block import ClinicFacts
from assistant_api.vapi.claims import EVERYBODY, Clinics

LINKS_MAX: Final = 20
"""Traces of further saves that a step links to."""

IS_DUE: Final = """
saved_revision > greatest(provisioned_revision, refused_revision)
      AND next_due <= now() AND (lease_until IS NULL OR lease_until < now())"""
"""Of a row of `agents`."""

SAVE_IS_DUE: Final = f"{IS_DUE} AND NOT bulk"
BULK_IS_DUE: Final = f"{IS_DUE} AND bulk"

# Clinics with something due, from $4 on by their ids: walked in the index, a probe each, at most $1 of them. $5: those
# that have all the places that one clinic may have, or whose key waits. $7, $8: the places that the others have.
_IN_TURNS: Final = """
WITH RECURSIVE orgs (org_id, number) AS (
    (SELECT org_id, 1 FROM agents WHERE {is_due} AND org_id > $4 AND org_id <> ALL ($5::uuid[]){of_some}
     ORDER BY org_id LIMIT 1)
    UNION ALL
    SELECT following.org_id, orgs.number + 1
    FROM orgs CROSS JOIN LATERAL (
        SELECT a.org_id FROM agents a
        WHERE {is_due} AND a.org_id > orgs.org_id AND a.org_id <> ALL ($5::uuid[]){of_some}
        ORDER BY a.org_id LIMIT 1) following
    WHERE orgs.number < $1
), due AS (
    SELECT one.org_id, one.id
    FROM (SELECT org_id, least(ceil($1::float8 / count(*) OVER ())::int, $6 - coalesce(running, 0)) AS places
          FROM orgs LEFT JOIN unnest($7::uuid[], $8::int[]) AS of_ours (org_id, running) USING (org_id)) turn
    CROSS JOIN LATERAL (
        SELECT a.org_id, a.id FROM agents a WHERE a.org_id = turn.org_id AND {is_due}
        ORDER BY a.next_due LIMIT turn.places FOR UPDATE SKIP LOCKED) one
    LIMIT $1
)
"""
_LEASE: Final = f"""
UPDATE agents a SET lease_token = $2, lease_until = now() + make_interval(secs => $3),
       leased_revision = a.saved_revision
FROM due
JOIN organizations o ON o.id = due.org_id
LEFT JOIN outcomes x ON x.org_id = due.org_id AND x.agent_id = due.id
WHERE a.org_id = due.org_id AND a.id = due.id
RETURNING a.org_id, a.id, a.saved_revision, a.provisioned_revision, a.name, a.system_prompt, a.first_message, a.voice,
          a.model, a.vapi_account, a.vapi_assistant_id, a.vapi_seen, a.bulk, a.failures,
          a.attempt_id, a.attempt_creates, o.time_zone, o.opening_hours, o.services,
          CASE WHEN x.assistant_id = a.vapi_assistant_id AND x.revision <= a.saved_revision
               THEN reachable_versions(x.tools, x.tool_versions, x.failed_tools) ELSE '{{}}' END AS reachable,
          extract(epoch FROM now() - a.attempt_at)::float8 AS attempt_age_seconds,
          ARRAY(SELECT s.traceparent FROM saves s
                WHERE s.org_id = a.org_id AND s.agent_id = a.id AND s.state = 'open' AND s.traceparent IS NOT NULL
                ORDER BY s.revision LIMIT {LINKS_MAX}) AS traceparents,
          EXISTS (SELECT FROM saves s WHERE s.org_id = a.org_id AND s.agent_id = a.id AND s.state = 'open'
                  AND s.traceparent IS NULL) AS untraced,
          EXISTS (SELECT FROM removals r WHERE r.vapi_account = a.vapi_account
                  AND r.released_assistant_id = a.vapi_assistant_id) AS being_released
"""

# Of $9 alone; a statement of its own, so that the usual one is planned without it.
_OF_SOME: Final = "\n     AND org_id = ANY ($9::uuid[])"


@dataclass(frozen=True, slots=True)
class Kind:
    """The statements that claim one kind of work: of all clinics, and of some."""

    of_all: str
    of_some: str


def _claiming(is_due: str) -> Kind:
    return Kind(*(_IN_TURNS.format(is_due=is_due, of_some=of_some) + _LEASE for of_some in ("", _OF_SOME)))


CLAIM_SAVES: Final = _claiming(SAVE_IS_DUE)
CLAIM_BULK: Final = _claiming(BULK_IS_DUE)
"""What is due for us, not for somebody who saved."""


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """A write to Vapi that has not been answered. ``age_seconds`` by the database's clock."""

    attempt_id: UUID
    creates: bool
    age_seconds: float


@dataclass(frozen=True, slots=True)
class Claimed:
    """An agent under our lease, as it was at the claim; ``revision`` is its newest."""

    org_id: UUID
    agent_id: str
    token: UUID
    revision: int
    was_seen: bool
    """Whether we have seen, at Vapi, the assistant that the row names."""
    spoken: AssistantSpec
    vapi_account: str
    assistant_id: str | None
    bulk: bool
    failures: int
    attempt: OpenAttempt | None
    traceparents: tuple[str, ...]
    untraced: bool
    """Whether there are open requests that nobody began a trace for: plain SQL made them."""
    clinic: ClinicFacts
    reachable: tuple[str, ...]
    """The tools that callers of this assistant reach, by its newest outcome, as `name:version`."""
    being_released: bool
    """Whether somebody who had this assistant before has still to be taken out of it."""


class InTurns:
    """What is due of all clinics, taken in turns: a clinic with thousands of them is one among others.

    ``kind``: :data:`CLAIM_SAVES` or :data:`CLAIM_BULK`. ``per_org_max``: places that one clinic may have here;
    ``lease_seconds``: nobody else gets what was taken meanwhile.
    """

    def __init__(self, kind: Kind, *, per_org_max: int, lease_seconds: float) -> None:
        self._kind, self._per_org_max, self._lease_seconds = kind, per_org_max, lease_seconds
        self._after = UUID(int=0)

    async def claim(
        self, connection: Connection, limit: int, running: Mapping[UUID, int], clinics: Clinics = EVERYBODY
    ) -> Sequence[Claimed]:
        """Take at most ``limit`` agents of ``clinics``. ``running``: how many of each clinic have a place now."""
        places = Counter(running)
        from_start = self._after.int == 0
        claimed = list(await self._claim(connection, limit, places, clinics))
        if len(claimed) < limit and not from_start:  # the last clinic was passed: begin again with the first
            places.update(agent.org_id for agent in claimed)
            self._after = UUID(int=0)
            claimed += await self._claim(connection, limit - len(claimed), places, clinics)
        return claimed

    async def _claim(
        self, connection: Connection, limit: int, places: Mapping[UUID, int], clinics: Clinics
    ) -> Sequence[Claimed]:
        full = [org_id for org_id, count in places.items() if count >= self._per_org_max]
        some = () if clinics.only is None else (list(clinics.only),)
        claimed = await lease(
            connection, self._kind.of_some if some else self._kind.of_all, limit, self._lease_seconds, self._after,
            [*full, *clinics.but], self._per_org_max, list(places.keys()), list(places.values()), *some,
        )  # fmt: skip
        self._after = max((agent.org_id for agent in claimed), default=UUID(int=0))
        return claimed


async def lease(
    connection: Connection, statement: str, limit: int, lease_seconds: float, *others: object
) -> Sequence[Claimed]:
    """Take by one of the statements above, under a token of its own."""
    token = uuids.uuid4()
    rows = await connection.fetch(statement, limit, token, lease_seconds, *others)
    return [_claimed(row, token) for row in rows]


def _claimed(row: Any, token: UUID) -> Claimed:
    attempt = None
    if row["attempt_id"] is not None:
        attempt = OpenAttempt(row["attempt_id"], bool(row["attempt_creates"]), row["attempt_age_seconds"])
    return Claimed(
        org_id=row["org_id"],
        agent_id=row["id"],
        token=token,
        revision=row["saved_revision"],
        was_seen=row["vapi_seen"],
        spoken=AssistantSpec(row["name"], row["system_prompt"], row["first_message"], row["voice"], row["model"]),
        vapi_account=row["vapi_account"],
        assistant_id=row["vapi_assistant_id"],
        bulk=row["bulk"],
        failures=row["failures"],
        attempt=attempt,
        traceparents=tuple(row["traceparents"]),
        untraced=row["untraced"],
        clinic=ClinicFacts(row["time_zone"], row["opening_hours"], row["services"]),
        reachable=tuple(row["reachable"]),
        being_released=row["being_released"],
    )
