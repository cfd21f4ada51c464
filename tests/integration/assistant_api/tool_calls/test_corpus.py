"""The corpus of bookings (`tests/corpus/bookings.md`), row by row through the real webhook and the real database."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final, Self
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from assistant_api.tool_calls import handle

from ....corpus.reading import Booked, Case, Refused, Values, cases
from ..harness import Harness
from .calling import Caller, call

TODAY: Final = datetime(2027, 3, 1, 7, 0, tzinfo=UTC)
USUAL: Final[Values] = {
    "patientName": "Anna Schmidt",
    "patientPhone": "+49 30 1234567",
    "service": "Check-up",
    "appointmentDate": "2027-03-09",
    "appointmentTime": "10:00",
}
USUAL_PHONE: Final = "+49301234567"
NAMES: Final = {
    "name": "patientName",
    "phone": "patientPhone",
    "date": "appointmentDate",
    "time": "appointmentTime",
}
MORNING, AFTERNOON = ["09:00", "12:30"], ["13:30", "17:00"]
BERLIN: Final = {
    "timeZone": "Europe/Berlin",
    "services": ["Check-up", "Cleaning", "Root canal", "Crown & bridge", "Röntgen", "Füllung groß"],
    "openingHours": {
        **{day: [MORNING, AFTERNOON] for day in ("monday", "tuesday", "thursday", "friday")},
        "wednesday": [MORNING],
    },
}
CLINICS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "Berlin": ("DE", BERLIN),
    "London": ("GB", {"timeZone": "Europe/London"}),
    "Madrid": ("ES", {"timeZone": "Europe/Madrid"}),
    "Tokyo": ("JP", {"timeZone": "Asia/Tokyo"}),
    "New York": ("US", {"timeZone": "America/New_York"}),
}


class Monday(datetime):
    """The clock of the corpus."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(TODAY.timestamp(), tz)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a row: booked at once, on the second try, rightly refused, missed, or wrong and why."""

    case: Case
    kind: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Desk:
    """The clinics, and whoever calls them."""

    caller: Caller
    clinics: dict[str, UUID]

    async def call(self, case: Case, conversation: str, filled_in: Values, as_what: str) -> str:
        """What the model hears."""
        given = {**USUAL, **{NAMES.get(key, key): value for key, value in filled_in.items()}}
        given |= {"organization_id": str(self.clinics[case.clinic]), "definition_version": 2}
        (entry,) = await self.caller.results(call(written(given, as_what)), call_id=conversation)
        heard: str = entry.get("result") or entry["error"]
        return heard

    async def rows(self) -> list[dict[str, Any]]:
        """The whole calendar."""
        return await self.caller.appointments()

    async def wipe(self) -> None:
        """An empty calendar, in which nothing was asked."""
        await self.caller.harness.owner.execute("DELETE FROM appointments")
        await self.caller.harness.owner.execute("DELETE FROM tool_calls")


def written(given: Values, as_what: str) -> Any:
    """Arguments in the form in which a model, or what stands between it and us, writes them."""
    text = json.dumps(given, ensure_ascii=False)
    match as_what:
        case "object":
            return given
        case "text":
            return text
        case "code fence":
            return f"```json\n{text}\n```"
        case "plain fence":
            return f"```\n{text}\n```"
        case "raw line break":
            return text.replace('"service"', '"notes": "first\nsecond", "service"')
        case "text in text":
            return json.dumps(text)
        case "cut off":
            return text[: len(text) // 2]
        case "null":
            return None
        case "empty":
            return {}
        case "wrapped in properties":
            static = ("organization_id", "definition_version")
            return {
                "properties": {key: value for key, value in given.items() if key not in static},
                **{key: given[key] for key in static},
            }
        case _:
            raise AssertionError(as_what)


def expected(case: Case, filled_in: Values, then: Booked) -> dict[str, Any]:
    """The row that must be there: what was filled in, unless the corpus says otherwise."""
    usual = {"date": "2027-03-09", "time": "10:00", "name": "Anna Schmidt", "service": "Check-up", "notes": ""}
    said = {**usual, **{key: value for key, value in filled_in.items() if key in usual}}
    zone = ZoneInfo(CLINICS[case.clinic][1]["timeZone"])
    start = datetime.fromisoformat(then.start or f"{said['date']} {said['time']}")
    start = (start if start.tzinfo else start.replace(tzinfo=zone)).astimezone(UTC)
    return {
        "patient_name": said["name"] if then.name is None else then.name,
        "phone": filled_in.get("phone", "") if then.phone == "as said" else then.phone or USUAL_PHONE,
        "service": said["service"] if then.service is None else then.service,
        "notes": said["notes"] if then.notes is None else then.notes,
        "starts_at": start,
        "ends_at": start + timedelta(minutes=30),
    }


def found(row: dict[str, Any]) -> dict[str, Any]:
    """The same of a row of the calendar."""
    names = ("patient_name", "service", "notes", "starts_at", "ends_at")
    return {**{name: row[name] for name in names}, "phone": row["phone_e164"] or row["patient_phone"]}


async def judge(desk: Desk, case: Case, conversation: str) -> Verdict:
    """Play a row and compare the calendar before with the one after."""
    before = [found(row) for row in await desk.rows()]
    filled_in = {key: value for key, value in case.filled_in.items() if key != "as"}
    heard = await desk.call(case, conversation, filled_in, case.filled_in.get("as", "object"))
    after = [found(row) for row in await desk.rows()]
    match case.then:
        case Booked() as then:
            if not heard.startswith(("Booked for", "Already booked for")):
                return Verdict(case, "missed" if after == before else "wrong", heard)
            return _compared(case, filled_in, then, after, before, heard, "at once")
        case Refused(hears, again, then_booked):
            if after != before or hears not in heard:
                return Verdict(case, "wrong", heard)
            if again is None or then_booked is None:
                return Verdict(case, "refused")
            corrected = {**{k: v for k, v in filled_in.items() if k not in again}, **again}
            corrected.pop("as", None)
            heard = await desk.call(case, conversation, corrected, "object")
            after = [found(row) for row in await desk.rows()]
            if not heard.startswith("Booked for"):
                return Verdict(case, "missed" if after == before else "wrong", heard)
            return _compared(case, corrected, then_booked, after, before, heard, "second try")


def _compared(
    case: Case, filled_in: Values, then: Booked, after: list[Any], before: list[Any], heard: str, kind: str
) -> Verdict:
    wanted = expected(case, filled_in, then)
    others = [row for row in before if row["starts_at"] != wanted["starts_at"]]
    if [row for row in after if row not in others] != [wanted] or len(after) != len(others) + 1:
        return Verdict(case, "wrong", f"{after} instead of {wanted}")
    return Verdict(case, kind if then.hears in heard else "wrong", heard)


async def open_clinics(harness: Harness) -> dict[str, UUID]:
    """The clinics of the corpus."""
    made = {}
    for name, (country, calendar) in CLINICS.items():
        org_id = made[name] = await harness.organization(name)
        answer = await harness.http.put(
            f"/api/organizations/{org_id}/calendar",
            json={**calendar, "country": country},
            headers=harness.bearer(org_id),
        )
        assert answer.status_code == 200, answer.text
    return made


def test_the_corpus_is_large_and_much_of_it_was_seen_in_the_field() -> None:
    rows = list(cases())
    desks = Counter(case.desk for case in rows)

    assert len(rows) >= 200
    assert sum(bool(case.source) for case in rows) >= 60
    assert all(isinstance(case.then, Booked) == (case.desk == "yes") for case in rows)
    assert all(
        (case.desk == "second try") == (isinstance(case.then, Refused) and bool(case.then.again)) for case in rows
    )
    assert desks["no"] >= 50


async def test_every_booking_of_the_corpus(
    caller: Caller, harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(handle, "datetime", Monday)
    desk = Desk(caller, await open_clinics(harness))
    verdicts = []
    conversation = ""
    for case in cases():
        if not case.continues:
            await desk.wipe()
            conversation = str(uuid4())
        verdicts.append(await judge(desk, case, conversation))

    kinds = Counter((verdict.case.desk, verdict.kind) for verdict in verdicts)
    yes, later = (sum(verdict.case.desk == desk_says for verdict in verdicts) for desk_says in ("yes", "second try"))
    at_once, second = kinds["yes", "at once"], kinds["second try", "second try"]
    with capsys.disabled():
        print(
            f"\ncorpus: {len(verdicts)} inputs; of {yes} that a person would book {at_once} are booked at once"
            f" ({at_once / yes:.1%}); of {later} that must not be guessed {second} on the second try; together"
            f" {(at_once + second) / (yes + later):.1%}"
        )
        for verdict in _not_as_written(verdicts):
            print(f"  {verdict.case.number} {verdict.case.said}: {verdict.kind}: {verdict.detail}")
    assert [verdict.case.number for verdict in verdicts if verdict.kind == "wrong"] == []
    assert at_once >= 0.95 * yes
    assert at_once + second >= 0.95 * (yes + later)


def _not_as_written(verdicts: list[Verdict]) -> Iterator[Verdict]:
    return (verdict for verdict in verdicts if verdict.kind in {"wrong", "missed"})
