"""When two names are one patient's."""

import pytest

from assistant_api.appointments.patients import patient_key

SAME = {
    "case": ("Erika Example", "ERIKA EXAMPLE"),
    "sharp s": ("Max Groß", "MAX GROSS"),
    "accents": ("José Núñez", "Jose Nunez"),
    "accents taken apart": ("Zoë", "Zoe\u0308"),
    "letters with a stroke": ("Łukasz Søren", "Lukasz Soren"),
    "ligatures": ("Ægir", "Aegir"),
    "a dotless i": ("Işık", "isik"),
    "order": ("Example, Erika", "Erika Example"),
    "spaces": ("  Erika \u00a0 Example ", "Erika Example"),
    "hyphens": ("Anna\u2011Maria", "Anna-Maria"),
    "a hyphen or a space": ("Anna-Maria Lopez", "Anna Maria Lopez"),
    "apostrophes": ("O\u2019Brien", "O'Brien"),
    "an apostrophe or none": ("O'Brien", "OBrien"),
    "a full stop": ("Dr. Example", "Dr Example"),
    "invisible marks": ("\u200eErika\u200d", "Erika"),
    "wide letters": ("\uff25rika", "Erika"),
    "cyrillic": ("Пётр ИВАНОВ", "иванов петр"),
    "vietnamese": ("Nguyễn Đức", "NGUYEN DUC"),
}
DIFFERENT = {
    "siblings": ("Anna Example", "Ben Example"),
    "one name more": ("Anna Example", "Anna Maria Example"),
    "the same name twice": ("Anna", "Anna Anna"),
    "father and son": ("Max Example", "Max Example Jr"),
    "hindi vowels": ("कि", "कु"),
    "kana with and without dots": ("カ", "ガ"),
    "chinese": ("王伟", "王芳"),
    "signs only": ("?!", "!!"),
    "numbers": ("Child 1", "Child 2"),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME.keys())
def test_spellings_of_one_name_are_one_patient(one: str, other: str) -> None:
    assert patient_key(one) == patient_key(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_different_names_are_different_patients(one: str, other: str) -> None:
    assert patient_key(one) != patient_key(other)
