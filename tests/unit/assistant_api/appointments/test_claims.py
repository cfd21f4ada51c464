"""Whose appointment it is, and where wrong tries are counted."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final
from uuid import UUID

import pytest

from assistant_api.appointments.claims import Candidate, Claim, claimed
from assistant_api.appointments.phones import Phone, keys_of, read
from assistant_api.appointments.tries import scope_of

MINE: Final = "+4915112345678"
OTHER: Final = "+491709999999"
START: Final = datetime(2027, 1, 5, 9, tzinfo=UTC)
KEY: Final = b"a key that is not in the database"


def phone(said: str | None) -> Phone | None:
    return None if said is None else read(said, "DE")


def claim(said: str = MINE, *, name: str | None = "Erika Example", caller: str | None = None) -> Claim:
    return Claim(phone(said), date(2027, 1, 5), name, phone(caller), "c1")


def booked(place: int, *, said: str = MINE, patient: str = "Erika Example") -> Candidate:
    return Candidate(UUID(int=place), START + timedelta(hours=place), keys_of(said, None, "DE"), patient)


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (claim(), 1),  # number and name
        (claim("0151 12345678", name="example ERIKA"), 1),
        (claim(name=None, caller=MINE), 1),  # version 1, own number
        (claim(name="Max Other", caller=MINE), 1),  # own number, name misheard
        (claim(name=None), None),  # version 1, withheld
        (claim(name=None, caller=OTHER), None),
        (claim(name="Max Other", caller=OTHER), None),
        (claim(OTHER, caller=MINE), None),  # own number, and another one is asked for
        (claim(OTHER, name="Erika Example", caller=OTHER), None),
        (claim("00000", caller=MINE), None),
    ],
)
def test_number_and_either_name_or_own_phone(made: Claim, found: int | None) -> None:
    entry = claimed(made, [booked(1)])

    assert (entry.id.int if entry else None) == found


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (claim(name=None, caller=MINE), None),
        (claim(name="Ben", caller=MINE), 2),
        (claim(name="Ben"), 2),
        (claim(name="Carl", caller=MINE), None),
        (claim(name="Dora", caller=MINE), None),  # twice on that day
        (claim(name="Dora"), None),
    ],
)
def test_of_several_only_the_name_tells(made: Claim, found: int | None) -> None:
    several = [
        booked(1, patient="Anna"),
        booked(2, patient="Ben"),
        booked(3, patient="Dora"),
        booked(4, patient="Dora"),
        booked(5, said=OTHER, patient="Ben"),
    ]

    entry = claimed(made, several)

    assert (entry.id.int if entry else None) == found


def test_tries_are_counted_by_conversation_else_by_number_and_hour() -> None:
    def scope(said: str, now: datetime, conversation: str = "") -> str:
        return scope_of(conversation, phone(said), secret=KEY, now=now)

    assert scope(MINE, START, "c1") == scope(OTHER, START + timedelta(days=1), "c1") == "c1"
    first = scope(MINE, START)
    assert first == scope("0151 / 123 456 78", START + timedelta(minutes=59, seconds=59))
    assert first == scope(MINE, START.astimezone(timezone(timedelta(hours=5, minutes=30))))
    assert len({first, scope(OTHER, START), scope(MINE, START + timedelta(hours=1)), scope("000", START)}) == 4
    assert first != scope_of("", phone(MINE), secret=b"another key", now=START)
    assert "1234567" not in first
