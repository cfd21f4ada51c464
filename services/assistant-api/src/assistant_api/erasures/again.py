"""The list `erasures.v1`, read whole, and applied to a database that was set back.

An appointment goes again if it was made before the erasure and one of its names has one of the erasure's hashes. The
patient may have come back since: what was made afterwards stays.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from sys import maxsize
from typing import Final
from uuid import UUID

import structlog

from assistant_api.access_log.entry import Action, Entry, Who
from assistant_api.access_log.record import record
from assistant_api.appointments.access import ALONE_IN_CALENDAR, as_calendar
from assistant_api.erasures.erase import give_receipt
from assistant_api.erasures.forget import forget
from assistant_api.erasures.hashes import ErasureKey
from assistant_api.erasures.names import ROWS_AT_ONCE, Appointment, UnknownOrganization, appointments_of, country_of
from assistant_api.settings.commands import ErasureSettings
from zerotouch_contracts.envelope import UndecodableRecord, from_record
from zerotouch_contracts.events import PatientErased
from zerotouch_platform.cooperative import yielding_every
from zerotouch_platform.kafka.reading import newest_records
from zerotouch_platform.postgres.pool import Connection

READ_SECONDS_MAX: Final = 120.0
"""A broker that stands still must not hold up the next look. Three years of 10,000 clinics are read in seconds."""

_UNKNOWN: Final = """
SELECT n.id FROM unnest($1::uuid[], $2::timestamptz[]) AS n (id, erased_at)
WHERE n.erased_at > now() - make_interval(days => $3) AND NOT EXISTS (SELECT FROM erasures e WHERE e.id = n.id)
"""
_RECEIPT: Final = """
INSERT INTO erasures AS kept
    (id, org_id, erased_at, principal, appointments, answers, key_id, hashes, listed_at, again_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now(), now())
ON CONFLICT (id) DO UPDATE
SET appointments = kept.appointments + $5, answers = kept.answers + $6, again_at = now(), listed_at = now()
"""

_log: Final = structlog.get_logger()

Found = Mapping[UUID, Sequence[Appointment]]
"""By erasure: what is there and should be gone."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What the topic says, and how many of its records nobody can read."""

    erasures: tuple[PatientErased, ...]
    unreadable: int


async def read_list(settings: ErasureSettings) -> Listed:
    """All of the topic. Raises :class:`~zerotouch_platform.kafka.topics.KafkaUnavailable` and ``TimeoutError``."""
    async with asyncio.timeout(READ_SECONDS_MAX):
        partitions = await newest_records(settings.kafka_bootstrap_servers, settings.erasures_topic, maxsize)
    erasures: dict[UUID, PatientErased] = {}  # a record may come twice
    unreadable = 0
    for one in chain.from_iterable(partitions):
        try:
            message, _ = from_record(one.key, one.value, one.headers)
        except UndecodableRecord as error:
            _log.error(
                "erasure_unreadable", partition=one.partition, offset=one.offset, reason=error.reason, alarm=True
            )
            unreadable += 1
        else:
            if isinstance(message, PatientErased):
                erasures[message.erasure_id] = message
    return Listed(tuple(erasures.values()), unreadable)


async def unknown_to(
    connection: Connection, erasures: Sequence[PatientErased], keep_days: int
) -> Sequence[PatientErased]:
    """Those without a receipt: the database was set back since. Receipts are kept for ``keep_days``."""
    ids, times = [one.erasure_id for one in erasures], [one.erased_at for one in erasures]
    unknown = {row["id"] for row in await connection.fetch(_UNKNOWN, ids, times, keep_days)}
    return [one for one in erasures if one.erasure_id in unknown]


def by_clinic(erasures: Sequence[PatientErased]) -> Mapping[UUID, Sequence[PatientErased]]:
    """The erasures of each clinic."""
    found: dict[UUID, list[PatientErased]] = defaultdict(list)
    for one in erasures:
        found[one.org_id].append(one)
    return found


def by_key(
    erasures: Sequence[PatientErased], keys: Collection[ErasureKey]
) -> tuple[Sequence[PatientErased], Sequence[PatientErased]]:
    """Those whose key is known here, and those of which nobody can say whom they mean."""
    known = {key.id for key in keys}
    return [one for one in erasures if one.key_id in known], [one for one in erasures if one.key_id not in known]


async def find_again(
    connection: Connection, org_id: UUID, erasures: Sequence[PatientErased], keys: Sequence[ErasureKey]
) -> Found:
    """What is there of one clinic although these erasures took it; in the caller's transaction."""
    try:
        country = await country_of(connection, org_id)
    except UnknownOrganization:
        return {}
    by_hash = {name: one for one in sorted(erasures, key=lambda one: one.erased_at) for name in one.hashes}
    newest = max(one.erased_at for one in erasures)
    async with as_calendar(connection, org_id):
        there = await appointments_of(connection, org_id, country, before=newest)
    found: dict[UUID, list[Appointment]] = defaultdict(list)
    async for one in yielding_every(ROWS_AT_ONCE, there):
        names = (name for key in keys for name in key.of_all(org_id, one))
        took = (erased for name in names if (erased := by_hash.get(name)) and one.made_at < erased.erased_at)
        if (erased := next(took, None)) is not None:
            found[erased.erasure_id].append(one)
    return found


async def erase_again(
    connection: Connection, erased: PatientErased, found: Sequence[Appointment], settings: ErasureSettings, who: Who
) -> None:
    """Erase what was found, in the transaction of :func:`find_again`, and give the erasure its receipt again."""
    org_id = erased.org_id
    async with as_calendar(connection, org_id):
        await connection.execute(ALONE_IN_CALENDAR, str(org_id))
        await record(connection, Entry(who, Action.APPOINTMENTS_ERASE_AGAIN, org_id, str(erased.erasure_id)))
        names = frozenset(name for one in found for name in one.names)
        forgotten = await forget(connection, org_id, [one.id for one in found], names, settings)
        await give_receipt(connection, _RECEIPT, erased, who.principal, forgotten, settings)
    _log.warning(
        "patient_erased_again",
        org_id=str(org_id),
        erasure_id=str(erased.erasure_id),
        appointments=forgotten.appointments,
    )
