"""What the commands `erase` do, over one connection."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import uuid_utils.compat as uuids

from assistant_api.access_log.entry import Action, Entry, Who
from assistant_api.access_log.record import record
from assistant_api.erasures.again import by_clinic, by_key, erase_again, find_again, read_list
from assistant_api.erasures.erase import Order, erase
from assistant_api.erasures.hashes import keys_of_settings
from assistant_api.erasures.names import Patient
from assistant_api.erasures.receipts import Receipt, receipt_of
from assistant_api.settings.commands import ErasureSettings
from zerotouch_contracts.events import PatientErased
from zerotouch_platform.postgres.pool import Session


@dataclass(frozen=True, slots=True)
class Verified:
    """What was compared. ``left``: erasures of which so many appointments were there; ``again``: they are gone now."""

    erasures: int
    left: Sequence[tuple[PatientErased, int]]
    not_looked_at: Sequence[str]
    again: bool

    def lines(self) -> Iterator[str]:
        """What an operator reads."""
        yield f"{self.erasures:,} erasures are on the list"
        for erased, appointments in self.left:
            yield (
                f"organization {erased.org_id}: {appointments} appointment(s) that erasure {erased.erasure_id} of"
                f" {erased.erased_at:%Y-%m-%d %H:%M:%S} UTC took" + ("; erased again" if self.again else "")
            )
        yield from self.not_looked_at
        if not self.left and not self.not_looked_at:
            yield "nothing of them is there"


async def erase_patient(
    connection: Session, settings: ErasureSettings, org_id: UUID, patient: Patient, who: Who
) -> Receipt:
    """Erase a patient; the receipt. Raises what :func:`~assistant_api.erasures.erase.erase` does."""
    order = Order(uuids.uuid7(), org_id, patient, who.principal)
    async with connection.transaction():
        await record(connection, Entry(who, Action.APPOINTMENTS_ERASE, org_id, str(order.id)))
        await erase(connection, order, settings)
        receipt = await receipt_of(connection, order.id, org_id)
    assert receipt is not None, "it was written in this transaction"
    return receipt


async def verify_erasures(connection: Session, settings: ErasureSettings, who: Who, *, again: bool) -> Verified:
    """Compare every clinic's appointments with all of the list; raises `KafkaUnavailable`."""
    listed = await read_list(settings)
    keys = keys_of_settings(settings)
    left: list[tuple[PatientErased, int]] = []
    known, lacking = by_key(listed.erasures, keys)
    for org_id, erasures in by_clinic(known).items():
        async with connection.transaction():
            await record(connection, Entry(who, Action.APPOINTMENTS_VERIFY, org_id))
            found = await find_again(connection, org_id, erasures, keys)
            for one in erasures:
                if there := found.get(one.erasure_id):
                    left.append((one, len(there)))
                    if again:
                        await erase_again(connection, one, there, settings, who)
    unlooked = [
        f"not looked at: {count} erasure(s) with the key {key_id}, which is not in ERASURE_KEYS"
        for key_id, count in sorted(Counter(one.key_id for one in lacking).items())
    ]
    if listed.unreadable:
        unlooked.append(
            f"not looked at: {listed.unreadable} record(s) of {settings.erasures_topic} that nobody can read"
        )
    return Verified(len(listed.erasures), left, unlooked, again)
