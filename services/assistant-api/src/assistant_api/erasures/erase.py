"""An erasure: one transaction finds what is the patient's, forgets it, and leaves a receipt and a record of the list.

What was there when it began is erased. A call that books at the same moment waits for it, or it for the call: what is
made afterwards stays, as the patient may come back.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from assistant_api.appointments.access import ALONE_IN_CALENDAR, as_calendar
from assistant_api.erasures.calls import add_calls
from assistant_api.erasures.forget import Forgotten, forget
from assistant_api.erasures.hashes import ErasureKey, keys_of_settings
from assistant_api.erasures.names import (
    Appointment,
    ByAppointment,
    Patient,
    appointments_of,
    country_of,
    is_of,
    names_of,
)
from assistant_api.settings.commands import ErasureSettings
from zerotouch_contracts.events import ERASED_NAMES_MAX, PatientErased
from zerotouch_platform.postgres.pool import Connection

_KNOWN: Final = "SELECT true FROM erasures WHERE id = $1 AND org_id = $2"
_TIME: Final = "SELECT clock_timestamp()"
_RECEIPT: Final = """
INSERT INTO erasures (id, org_id, erased_at, principal, appointments, answers, key_id, hashes)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_TELL: Final = """
INSERT INTO outbox (org_id, message_id, type, body, traceparent) VALUES ($1, $2, $3, $4::text::jsonb, $5)
"""


@dataclass(frozen=True, slots=True)
class Order:
    """Who is to be erased from which clinic, and who asks. ``id`` is the erasure's; the same id is the same erasure."""

    id: UUID
    org_id: UUID
    patient: Patient
    principal: str
    traceparent: str | None = None


async def erase(connection: Connection, order: Order, settings: ErasureSettings) -> None:
    """Erase a patient, in the caller's transaction, which is of the service's role and has no lock yet.

    Nothing is done where the erasure has its receipt. Raises `UnknownOrganization`, `UnknownAppointment` and `NoNumber`
    of :mod:`.names`, and what a database raises.
    """
    country = await country_of(connection, order.org_id)
    async with as_calendar(connection, order.org_id):
        if not await connection.fetchval(_KNOWN, order.id, order.org_id):
            await _erase(connection, order, settings, country)


async def _erase(connection: Connection, order: Order, settings: ErasureSettings, country: str | None) -> None:
    names = await names_of(connection, order.org_id, order.patient, country)
    there = await appointments_of(connection, order.org_id, country)
    # The long look was beside everybody's work. What was committed meanwhile is a short one: known by its id, not its
    # time, as it may have been made before and committed since.
    await connection.execute(ALONE_IN_CALENDAR, str(order.org_id))
    erased_at = await connection.fetchval(_TIME)
    newer = await appointments_of(connection, order.org_id, country, but=[one.id for one in there])
    found = [one for one in (*there, *newer) if is_of(order.patient, names, one)]
    forgotten = await forget(connection, order.org_id, [one.id for one in found], names, settings)
    message = _record(order, keys_of_settings(settings)[0], erased_at, names, found)
    await give_receipt(connection, _RECEIPT, message, order.principal, forgotten, settings)
    body = message.model_dump_json()
    await connection.execute(_TELL, order.org_id, order.id, message.TYPE, body, order.traceparent)


async def give_receipt(
    connection: Connection,
    statement: str,
    erased: PatientErased,
    principal: str,
    forgotten: Forgotten,
    settings: ErasureSettings,
) -> None:
    """Write the receipt of an erasure by ``statement``, and on it the phone calls at Vapi."""
    of, counts = (erased.erasure_id, erased.org_id), (forgotten.appointments, forgotten.answers)
    hashed = erased.key_id, list(erased.hashes)
    await connection.execute(statement, *of, erased.erased_at, principal, *counts, *hashed)
    await add_calls(connection, *of, forgotten.calls, delete=settings.erase_vapi_calls)


def _record(
    order: Order, key: ErasureKey, erased_at: datetime, names: Iterable[str], found: Iterable[Appointment]
) -> PatientErased:
    """The patient's number first; then every form that it had here, as another country may be known after a restore."""
    every = dict.fromkeys([*sorted(names), *sorted(name for one in found for name in one.names)])
    hashes = key.of_names(order.org_id, every)[: ERASED_NAMES_MAX - 1]
    if isinstance(order.patient, ByAppointment):
        hashes.append(key.of_appointment(order.org_id, order.patient.id))
    return PatientErased(
        org_id=order.org_id, erasure_id=order.id, erased_at=erased_at, key_id=key.id, hashes=tuple(hashes)
    )
