"""Which number a caller means, and when two are the same."""

import re
import unicodedata
from typing import Final

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from assistant_api.appointments.phones import Phone, keys_of, read

MOBILE: Final = "+4915112345678"

ONE_NUMBER: Final = {
    "national": "0151 12345678",
    "international": "+49 151 12345678",
    "a zero in brackets": "+49 (0)151 12345678",
    "a zero in wider brackets": "+49 ( 0 ) 151-12345678",
    "a zero after the code": "+49 0151 12345678",
    "dialled abroad": "0049 151 12345678",
    "a plus before it": "+0049 151 12345678",
    "a plus before the national form": "+0151 12345678",
    "the plus left out": "4915112345678",
    "the zero left out": "151 12345678",
    "a plus in brackets": "(+49) 151 / 123.456-78",
    "full width": "\uff0b\uff14\uff19 \uff11\uff15\uff11\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18",
    "arabic digits": "\u0660\u0661\u0665\u0661\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668",
    "devanagari digits": "\u0966\u0967\u096b\u0967 \u0967\u0968\u0969\u096a\u096b\u096c\u096d\u096e",
    "no-break spaces and hyphens": "+49\u00a0151\u20111234\u20115678",
    "dashes of all kinds": "0151\u20131234\u22125678",
    "marks of direction": "\u202a+49 151 12345678\u202c\u200f",
    "soft hyphens": "0151\u00ad12345678",
    "digits as emoji": "0\ufe0f\u20e3151 12345678",
    "with commas": "0151, 1234, 5678",
    "a link": "tel:+49-151-12345678",
    "a link with parameters": "tel:0151-12345678;isub=7",
    "labelled": "Tel.: 0151 12345678",
    "an extension": "0151 12345678 ext. 12",
    "spaces around": "  0151 12345678\n",
}


# libphonenumber's own punctuation (phonenumberutil._VALID_PUNCTUATION, 9.0), but for the letter x; what Japanese
# addresses and numbers have for a hyphen (geolonia/normalize-japanese-addresses#131 and #150); Hebrew, Armenian and
# Mongolian hyphens; Korean EU, typed on the key where other keyboards have the hyphen.
BETWEEN_DIGITS: Final = (
    "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc\uff0d\uff0e\uff0f"
    " \u00a0\u00ad\u200b\u2060\u3000()\uff08\uff09\uff3b\uff3d."
    "[]/~\u2053\u223c\uff5e"
    "\ufe63\u2043\ufe58\u23af\u23e4\uff70\u2500\u2501\u207b\u208b\u02d7\u2796\u301c\u30a0\u058a\u05be\u1806\u2e3a\u3161\u1173\u00b7\u2022"
)


@pytest.mark.parametrize("mark", BETWEEN_DIGITS, ids=lambda mark: f"U+{ord(mark):04X}")
def test_whatever_stands_for_a_hyphen_the_number_is_the_same(mark: str) -> None:
    phone = read(f"0151{mark}1234{mark}5678", "DE")

    assert phone is not None
    assert (phone.e164, phone.possible) == (MOBILE, True)


@pytest.mark.parametrize("plus", "+\uff0b\ufe62\u207a\u208a\ufb29\u2795", ids=lambda plus: f"U+{ord(plus):04X}")
def test_every_plus_is_a_plus(plus: str) -> None:
    phone = read(f"{plus}49 151 12345678", "US")

    assert phone is not None
    assert (phone.e164, phone.possible) == (MOBILE, True)


@pytest.mark.parametrize("said", ONE_NUMBER.values(), ids=ONE_NUMBER.keys())
def test_all_ways_to_say_a_number_are_one_number(said: str) -> None:
    phone = read(said, "DE")

    assert phone is not None
    assert (phone.e164, phone.possible) == (MOBILE, True)


@pytest.mark.parametrize(
    "said",
    ["", " ", "0", "00000", "0000000000", "000-000-0000", "+0000000", "+49 0000000", "+1 000 000 0000", "0049 00000",
     "\uff10\uff10\uff10\uff10\uff10", "anonymous", "Anonymous", "unknown", "restricted", "n/a", "null", "none",
     "+266696687", "266696687", "+86282452253", "---", "+", "tel:", "12", "110", "half past two", "0151 one two three",
     "1-800-FLOWERS", "*31#015112345678", "#31#015112345678", "+49 151 111111 / +49 171 222222",
     "sip:+4915112345678@example.com", "\u30fc", "\u30b9\u30fc\u30d1\u30fc",
     "0151 12345678 or 0171 12345678", "{{customer.number}}", "1" * 101],
)  # fmt: skip
@pytest.mark.parametrize("country", ["DE", "US", None])
def test_what_is_no_number_is_none(said: str, country: str | None) -> None:
    assert read(said, country) is None


@pytest.mark.parametrize(
    ("said", "country", "e164"),
    [
        ("(212) 555-0123", "US", "+12125550123"),
        ("1-212-555-0123", "US", "+12125550123"),
        ("+1 (0)212 555 0123", "US", "+12125550123"),
        ("011 49 151 12345678", "US", MOBILE),
        ("0049 151 12345678", "US", MOBILE),
        ("4915112345678", "US", MOBILE),
        ("0011 49 151 12345678", "AU", MOBILE),
        ("06 1234567", "IT", "+39061234567"),
        ("+39 (0)6 1234567", "IT", "+39061234567"),
        ("+34 (0)91 123 45 67", "ES", "+34911234567"),
        ("+48 (0)22 123 45 67", "PL", "+48221234567"),
        ("8 916 123-45-67", "RU", "+79161234567"),
        ("06 30 123 4567", "HU", "+36301234567"),
        ("011 15 1234 5678", "AR", "+5491112345678"),
        ("+52 1 55 1234 5678", "MX", "+525512345678"),
        ("+52 1 55 1234 5678", None, "+525512345678"),
        ("0049 151 12345678", None, MOBILE),
        ("+49 (0)151 12345678", None, MOBILE),
        ("0151 12345678", "AT", "+4315112345678"),  # possible there, though it is nobody's
        ("01599 1234567", "DE", "+4915991234567"),
    ],
)
def test_a_number_is_read_by_the_plan_of_its_country(said: str, country: str | None, e164: str) -> None:
    phone = read(said, country)

    assert phone is not None
    assert (phone.e164, phone.possible) == (e164, True)


@pytest.mark.parametrize(
    ("said", "country", "digits"),
    [
        ("0151 / 123 45 678", None, "015112345678"),
        ("4915112345678", None, "4915112345678"),  # may be a national number of a plan that is not known
        ("12345", None, "12345"),
        ("555-1234", "US", "5551234"),
        ("030 1234567 ext 12", None, "0301234567x12"),
    ],
)
def test_what_cannot_be_told_is_kept_as_it_was_said(said: str, country: str | None, digits: str) -> None:
    assert read(said, country) == Phone(None, digits, possible=True)


@pytest.mark.parametrize(
    ("said", "country"),
    [("12345", "US"), ("212 555 012", "US"), ("+49", None), ("+1 555 1234", "US"), ("+999 123456", None),
     ("+49 151 12345678 12345678", "DE"), ("9" * 30, "DE"), ("+2562533", None), ("+8656696", None)],
)  # fmt: skip
def test_what_no_country_has_is_impossible(said: str, country: str | None) -> None:
    phone = read(said, country)

    assert phone is None or (phone.e164, phone.possible) == (None, False)


@pytest.mark.parametrize(
    ("said", "e164", "then", "other", "now", "same"),
    [
        ("0151 12345678", None, None, MOBILE, "DE", True),  # the country was set since
        ("0151 12345678", "+4315112345678", "AT", MOBILE, "DE", True),  # and put right
        ("0151 12345678", MOBILE, "DE", "0151-12345678", None, True),  # and taken away
        ("0151 12345678", MOBILE, "DE", "0151-12345678", "AT", True),
        ("0151 12345678", MOBILE, "DE", MOBILE, "AT", True),
        ("0151 12345678", None, None, "0151/12345678", None, True),
        ("0151 12345678", None, None, MOBILE, None, False),
        ("0151 12345678", None, None, "0151 12345679", "DE", False),
        ("030 1234567", None, None, "030 123456 7", None, True),
        ("030 123456 ext 7", None, None, "030 1234567", None, False),
        ("0000000000", None, None, "00000", None, False),
    ],
)  # fmt: skip
def test_a_number_is_found_although_the_clinics_country_has_changed(
    said: str, e164: str | None, then: str | None, other: str, now: str | None, same: bool
) -> None:
    stored, wanted = read(said, then), read(other, now)

    assert stored is None or stored.e164 == e164
    assert (wanted is not None and wanted.is_one_of(keys_of(said, e164, now))) is same


_REGIONS: Final = sorted(phonenumbers.SUPPORTED_REGIONS)
_DIGITS: Final = (
    "0123456789",
    "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19",
    "٠١٢٣٤٥٦٧٨٩",
    "०१२३४५६७८९",
)
_INVISIBLE: Final = ("", "\u200e", "\u202a", "\u2060", "\u00ad")
_GAPS: Final = (" ", "\u00a0", "\u2011", "-", "\u202f", ".", " / ")


@given(
    region=st.sampled_from(_REGIONS),
    kind=st.sampled_from((PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE)),
    form=st.sampled_from((PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL)),
    script=st.sampled_from(_DIGITS),
    invisible=st.sampled_from(_INVISIBLE),
    gap=st.sampled_from(_GAPS),
)
def test_every_countrys_numbers_are_read_in_every_form(
    region: str, kind: int, form: int, script: str, invisible: str, gap: str
) -> None:
    number = phonenumbers.example_number_for_type(region, kind)
    if number is None:
        return
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    written = re.sub(r"[ -]", gap, phonenumbers.format_number(number, form))
    said = invisible + written.translate(str.maketrans(_DIGITS[0], script)) + invisible

    phone = read(said, region)

    assert phone is not None
    assert phone.e164 == e164
    if form != PhoneNumberFormat.NATIONAL:
        assert read(said, None) == phone


_TEXT: Final = st.one_of(
    st.text(max_size=40),
    st.text("0123456789+-() /.ext~*#\u00a0\u0660\uff11", max_size=40),
    st.from_regex(r"\+?[0-9]{2,17}", fullmatch=True),
)


@given(said=_TEXT, country=st.sampled_from([*_REGIONS, None]))
def test_whatever_is_said_is_read_or_not_and_is_itself(said: str, country: str | None) -> None:
    phone = read(said, country)

    if phone is not None:
        assert re.fullmatch(r"\+?[0-9]{4,}(x[0-9]{1,7})?", phone.digits)
        assert phone.e164 is None or re.fullmatch(r"\+[0-9]{4,20}", phone.e164)
        assert phone.e164 is None or phone.possible
        assert phone.is_one_of(keys_of(said, phone.e164, country))
        assert phone.is_one_of(keys_of(said, None, country))
        assert read(unicodedata.normalize("NFD", said), country) == phone


@given(region=st.sampled_from(_REGIONS), end=st.from_regex(r"[0-9]{3}", fullmatch=True))
def test_an_e164_number_says_itself_in_every_country(region: str, end: str) -> None:
    number = phonenumbers.example_number(region)
    assert number is not None
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)[:-3] + end

    for country in ("DE", "US", "IT", "AU", region, None):
        phone = read(e164, country)
        assert phone is not None
        assert (phone.e164, phone.possible) == (e164, True)
