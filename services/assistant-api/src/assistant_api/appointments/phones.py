"""Phone numbers: what a caller said, what number that is, and when two are the same.

A number is compared by its E.164 form. Where nothing tells which one it is (a national number at a clinic whose country
is not known, a number without its area code), it is compared as it was said. Pure; the plans are libphonenumber's.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, ValidationResult

from zerotouch_contracts.text import LETTERS_LIKE_HYPHENS

_SAID_CHARACTERS_MAX: Final = 100
_DIGITS_MIN: Final = 4
"""Niue's and Tokelau's numbers have four digits, and none is shorter."""
_WITH_COUNTRY_CODE_MIN: Final = 11
"""From so many digits on they may begin with a country code, of which the plus was left out."""

_NUMBER: Final = re.compile(
    r"(?:tel)? *(?P<plus>\+?)(?P<digits>[0-9 ~]+?)(?:(?:ext|extension|x) *(?P<extension>[0-9]{1,7}))? *"
)
_HEAVY_PLUS: Final = "\u2795"
"""An emoji; what other pluses there are, NFKC makes plain."""
_DROPPED_ZERO: Final = re.compile(r"\(\s*0\s*\)")
_URI_PARAMETERS: Final = re.compile(r"^(tel:[^;]*);.*$", re.DOTALL)
_FORMER: Final = re.compile(r"\+521(?=[0-9]{10}$)")
"""Mexico's mobile numbers had a 1 after the country code until 2019, and are reported with it still."""
_PLACEHOLDERS: Final = frozenset({"266696687", "86282452253"})
"""What telephone companies report for a withheld number: ANONYMOUS and UNAVAILABLE on a phone's keys. The others
(RESTRICTED, BLOCKED, UNKNOWN) are possible numbers nowhere, or somebody's own."""


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone number as it was said, and the one that it is.

    ``e164`` is `+` and digits, without the extension; None where nothing tells which number it is. ``digits`` are those
    that were said, with `+` and an extension (`x12`) where there were any. ``possible`` is False where no such number
    can be.
    """

    e164: str | None
    digits: str
    possible: bool

    @property
    def key(self) -> str:
        """How the number is named where it must have one name."""
        return self.e164 or self.digits

    def is_one_of(self, keys: frozenset[str]) -> bool:
        """Whether it is the number of which ``keys`` are the names; see :func:`keys_of`."""
        return self.e164 in keys or self.digits in keys


def read(said: str, country: str | None) -> Phone | None:
    """The number that a text is, by the plan of ``country`` (ISO 3166 alpha-2) where it is a national one.

    None where it is no number: words, zeros only, what is reported for a withheld number. *Possible* is asked, not
    *valid*: plans get new numbers faster than libraries do. Validity only decides between readings.
    """
    match = _NUMBER.fullmatch(_folded(said)) if len(said) <= _SAID_CHARACTERS_MAX else None
    if match is None:
        return None
    digits, extension = match["digits"].replace(" ", ""), match["extension"]
    plain = digits.replace("~", "0")
    if len(plain) < _DIGITS_MIN or not plain.strip("0") or plain in _PLACEHOLDERS:
        return None
    parsed = [number for text in _readings(match["plus"], digits, country) if (number := _parsed(text, country))]
    if not all(number.national_number for number in parsed):
        return None  # +49 0000000
    chosen = next(filter(phonenumbers.is_valid_number, parsed), None) or next(filter(_is_whole, parsed), None)
    as_said = match["plus"] + plain + (f"x{extension}" if extension else "")
    if chosen is not None:
        return Phone(phonenumbers.format_number(chosen, PhoneNumberFormat.E164), as_said, possible=True)
    local = country is None or any(map(phonenumbers.is_possible_number, parsed))  # without its area code
    return Phone(None, as_said, possible=local and not match["plus"])


def keys_of(said: str, e164: str | None, country: str | None) -> frozenset[str]:
    """What names the number that was stored as ``said`` and ``e164`` (None where it was not known).

    What was said then is read by the country that is known now, too: it may have been set, or put right, since.
    """
    now = read(said, country)
    names = (e164,) if now is None else (e164, now.e164, now.digits)
    return frozenset(name for name in names if name is not None)


def _folded(said: str) -> str:
    """Digits in ASCII, small letters, `~` for a zero in brackets, a space for any other mark, nothing invisible."""
    text = _URI_PARAMETERS.sub(r"\1", unicodedata.normalize("NFKC", said).casefold().strip())
    return "".join(map(_plain, _DROPPED_ZERO.sub("~", text.replace("~", " ")))).strip()


def _plain(char: str) -> str:
    if char in _HEAVY_PLUS:
        return "+"
    if char in LETTERS_LIKE_HYPHENS:
        return " "
    if char in "+*#~" or (char.isascii() and char.isalnum()):
        return char
    if (digit := unicodedata.decimal(char, None)) is not None:
        return str(digit)
    category = unicodedata.category(char)
    if category in {"Cf", "Mn", "Me"}:  # marks of direction, joiners, the frame of an emoji's digit
        return ""
    return char if category[0] == "L" else " "


def _readings(plus: str, digits: str, country: str | None) -> Iterator[str]:
    """What the digits may mean, most likely first. A zero in brackets is dialled, or after a country code it is not."""
    for zero in ("0", "") if "~" in digits else ("",):
        number = digits.replace("~", zero)
        if plus and not number.startswith("0"):
            yield _FORMER.sub("+52", f"+{number}")
        else:  # no country code begins with a zero: such a plus is none
            yield from _readings_without_plus(number, country)


def _readings_without_plus(number: str, country: str | None) -> Iterator[str]:
    long = country is not None and len(number) >= _WITH_COUNTRY_CODE_MIN
    own = country is not None and number.startswith(str(phonenumbers.country_code_for_region(country)))
    if long and own:  # 49151… in Germany
        yield f"+{number}"
    yield number
    if number.startswith("00"):
        yield f"+{number.lstrip('0')}"
    if long and not own:
        yield f"+{number}"


def _parsed(text: str, country: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, country)
    except NumberParseException:
        return None


def _is_whole(number: PhoneNumber) -> bool:
    return phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
