"""The part of `assistant-api migrate` that SQL cannot do: which number each appointment has, where that is known now.

Looks at every appointment that has none yet, those of a clinic that has said its country since included; the others
stay as they were said, and are looked at again the next time. Nothing waits for it: what a row has is read by today's
country wherever it is compared. May be stopped at any time and repeated.
"""

from typing import Final
from uuid import UUID

import asyncpg

from assistant_api.appointments.clinic import country_of_clinic
from assistant_api.appointments.phones import read

BATCH_ROWS: Final = 1000

_PAGE: Final = """
SELECT a.org_id, a.id, a.patient_phone, o.country, o.time_zone
FROM appointments a JOIN organizations o ON o.id = a.org_id
WHERE a.phone_e164 IS NULL AND (a.org_id, a.id) > ($1, $2) ORDER BY a.org_id, a.id LIMIT $3
"""
_FILL: Final = """
UPDATE appointments a SET phone_e164 = f.e164
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) AS f (org_id, id, said, e164)
WHERE a.org_id = f.org_id AND a.id = f.id AND a.patient_phone = f.said AND a.phone_e164 IS NULL
"""


async def fill_in_numbers(connection: "asyncpg.Connection[asyncpg.Record]", *, batch_rows: int = BATCH_ROWS) -> int:
    """Fill in what can be known, a batch a transaction; how many appointments got a number. For the owner's role."""
    filled, place = 0, (UUID(int=0), UUID(int=0))
    while rows := await connection.fetch(_PAGE, *place, batch_rows):
        place = rows[-1]["org_id"], rows[-1]["id"]
        known = [
            (row["org_id"], row["id"], row["patient_phone"], phone.e164)
            for row in rows
            if (phone := read(row["patient_phone"], country_of_clinic(row["country"], row["time_zone"]))) is not None
            and phone.e164 is not None
        ]
        if known:
            done = await connection.execute(_FILL, *map(list, zip(*known, strict=True)))
            filled += int(done.removeprefix("UPDATE "))
    return filled
