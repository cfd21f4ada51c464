"""What a model fills in: folded where nothing can be guessed wrongly, refused where it can."""

import datetime as dt
import unicodedata
from typing import Any, Final

import pytest
from pydantic import ValidationError

from zerotouch_contracts.arguments import BookClinicAppointment, CancelAppointment, RescheduleAppointment

CALL: Final = {
    "patientName": "Ada Lovelace",
    "patientPhone": "030 1234567",
    "service": "Check-up",
    "appointmentDate": "2026-12-01",
    "appointmentTime": "09:30",
}
READ: Final = BookClinicAppointment.model_validate(CALL)


def kinds(**changes: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as refused:
        BookClinicAppointment.model_validate({**CALL, **changes})
    return [(str(item["loc"][0]), item["type"]) for item in refused.value.errors(include_input=False)]


@pytest.mark.parametrize("extra", [{"notes": None}, {"notes": ""}, {"notes": " \n"}, {"urgent": True}, {"x": None}])
def test_a_null_is_absent_and_what_the_tool_does_not_have_is_ignored(extra: dict[str, Any]) -> None:
    assert BookClinicAppointment.model_validate({**CALL, **extra}) == READ


def test_null_for_what_is_required_is_missing() -> None:
    assert kinds(patientName=None, appointmentDate=None) == [("patientName", "missing"), ("appointmentDate", "missing")]


@pytest.mark.parametrize(
    "said",
    [
        "2026-12-01",
        " 2026-12-01\n",
        "2026\u201012\u201101",
        "2026\u201312\u201401",
        "2026\u221212\u221201",
        "2026 - 12 - 01",
        "2026\u00a0-\u200912-\u300001",
        "\u202a2026-12-01\u202c",
        "\u20682026-12-01\u2069",
        "\u200f2026-12-01\u200e",
        "\ufeff2026-12-01",
        "２０２６-１２-０１",
        "２０２６－１２－０１",
        "２０２６ー１２ー０１",
        "2026 \u30fc 12 \u30fc 01",
        "2026\uff7012\uff7001",
        "2026\u316112\u316101",
        "2026\ufe5812\ufe6301",
        "2026\u207b12\u208b01",
        "2026\u279612\u250001",
        "2026\u301c12\u05be01",
    ],
    ids=ascii,
)
def test_a_day_is_read_whatever_its_spaces_hyphens_and_marks(said: str) -> None:
    assert BookClinicAppointment.model_validate({**CALL, "appointmentDate": said}).appointment_date == dt.date(
        2026, 12, 1
    )


@pytest.mark.parametrize(
    "said",
    [
        "5/6", "05/06/2026", "6.5.2026", "06-05-2026", "2026/12/01", "2026.12.01", "20261201", "2026-12-1",
        "2026-W49-2", "2026-335", "26-12-01", "2026-12-01T10:00", "2026-12-01T10:00:00Z", "2026-12-01 10:00",
        "1764547200", "+2026-12-01", "10000-01-01", "-2026-12-01", "tomorrow", "next Tuesday",
        "1st of December", "2026-12", "12-01", "2026-12-0l",
        "٢٠٢٦-١٢-٠١", "२०२६-१२-०१", "2026-12-01 or 02", "2026-12-01-02",
    ],
    ids=ascii,
)  # fmt: skip
def test_a_day_in_any_other_form_is_not_guessed(said: str) -> None:
    assert kinds(appointmentDate=said) == [("appointmentDate", "wrong_form")]


@pytest.mark.parametrize("said", ["2026-02-31", "2027-02-29", "2025-13-45", "2026-00-10", "2026-12-00", "0000-01-01"])
def test_a_day_that_the_calendar_does_not_have_is_another_fault(said: str) -> None:
    assert kinds(appointmentDate=said) == [("appointmentDate", "no_such_day")]


@pytest.mark.parametrize(
    "said",
    ["09:30", " 09:30 ", "09:30:00", "09\u00a0:\u200930", "\u206609:30\u2069", "０９：３０", "09\u223630", "09:30\r\n"],
    ids=ascii,
)
def test_a_time_is_read_whatever_its_spaces_and_marks(said: str) -> None:
    assert BookClinicAppointment.model_validate({**CALL, "appointmentTime": said}).appointment_time == "09:30"


@pytest.mark.parametrize(
    "said",
    [
        "9:30", "2:30", "2:30 PM", "02:30 PM", "2pm", "14.30", "14h30", "14 Uhr", "1430", "14:3", "14", "24:00",
        "25:00", "14:60", "half past two", "noon", "09:30:30", "09:30Z", "09:30+01:00", "T09:30", "09:30-10:00",
        "09-30", "१०:००",
        "10:00\n11:00", "1 0:30",
    ],
    ids=ascii,
)  # fmt: skip
def test_a_time_in_any_other_form_is_not_guessed(said: str) -> None:
    assert kinds(appointmentTime=said) == [("appointmentTime", "string_pattern_mismatch")]


@pytest.mark.parametrize("field", sorted(CALL))
@pytest.mark.parametrize("given", [7, 4915112345678, 1.5, True, ["x"], {"x": "y"}, 10**400, [[[[]]]]], ids=repr)
def test_what_is_no_text_is_not_made_one(field: str, given: Any) -> None:
    """A phone number that is a JSON number has lost its zeros, and a day its hyphens."""
    assert kinds(**{field: given}) == [(field, "date_type" if field.endswith("Date") else "string_type")]


@pytest.mark.parametrize("field", sorted(CALL))
@pytest.mark.parametrize("given", ["", "  ", "\u00a0\u3000", "\n\t", "\u2028"], ids=ascii)
def test_what_is_blank_is_missing(field: str, given: str) -> None:
    ((found, kind),) = kinds(**{field: given})
    assert found == field
    assert kind in {"blank", "string_too_short"}


@pytest.mark.parametrize("given", ["?", "-", "...", "\u200b", "\u200d\ufeff", "💥"], ids=ascii)
def test_a_name_has_a_letter_or_a_digit_of_some_script(given: str) -> None:
    assert kinds(patientName=given) == [("patientName", "blank")]
    for name in ("李", "Ö", "नी", "ﷴ", "3"):
        assert BookClinicAppointment.model_validate({**CALL, "patientName": name}).patient_name == name


@pytest.mark.parametrize("given", ["null", "None", "NONE.", "undefined", "Unknown", "N/A"])
def test_what_stands_for_nothing_is_no_name_and_no_note(given: str) -> None:
    assert kinds(patientName=given, service=given) == [("patientName", "blank"), ("service", "blank")]
    assert BookClinicAppointment.model_validate({**CALL, "notes": given}) == READ
    for name in ("Christopher Null", "Nonesuch", "None Ndiaye"):
        assert BookClinicAppointment.model_validate({**CALL, "patientName": name}).patient_name == name


def test_a_name_is_kept_as_it_was_said() -> None:
    for name in (
        "Zoe\u0308",
        "Müller\u2011Lüdenscheidt",
        "Ana\u00a0Maria",
        "می\u200cخواهم",
        "👩🏽\u200d⚕️ Dr. Ada",
        "O\u2019Brien",
    ):
        assert BookClinicAppointment.model_validate({**CALL, "patientName": name}).patient_name == name


def test_marks_of_direction_and_line_breaks_are_no_part_of_a_name() -> None:
    said = {**CALL, "patientName": "\u2067ليلى\u2069\r\n\u202bحداد\u202c", "service": "Check-up\t\n"}

    read = BookClinicAppointment.model_validate(said)

    assert read.patient_name == "ليلى حداد"
    assert read.service == "Check-up"
    assert not any(unicodedata.bidirectional(char) in {"RLE", "LRE", "PDF", "RLI", "PDI"} for char in read.patient_name)


def test_notes_keep_their_lines_whoever_wrote_them() -> None:
    read = BookClinicAppointment.model_validate({**CALL, "notes": " one\r\ntwo\u2028three\rfour\n\tfive "})

    assert read.notes == "one\ntwo\nthree\nfour\n\tfive"


@pytest.mark.parametrize("field", ["patientName", "patientPhone", "service", "notes"])
@pytest.mark.parametrize("given", ["A\x00da 1", "A\ud800da 1", "\udfff1"], ids=ascii)
def test_what_cannot_be_stored_is_refused(field: str, given: str) -> None:
    ((found, kind),) = kinds(**{field: given})
    assert found == field
    assert kind in {"unreadable", "string_unicode"}


def test_the_other_tools_read_the_same_way() -> None:
    cancel = CancelAppointment.model_validate(
        {"patientPhone": "\u202a030 1234567\u202c", "appointmentDate": "２０２６-12-01", "reason": "sick"}
    )
    move = RescheduleAppointment.model_validate(
        {**CALL, "newDate": "2026\u201112\u201102", "newTime": "14:30:00", "notes": None}
    )

    assert (cancel.patient_phone, cancel.appointment_date) == ("030 1234567", dt.date(2026, 12, 1))
    assert (move.new_date, move.new_time) == (dt.date(2026, 12, 2), "14:30")
