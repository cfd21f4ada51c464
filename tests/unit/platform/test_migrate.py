"""What dbmate is told about TLS."""

import pytest

from zerotouch_platform.migrate import with_sslmode


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://h/d", "postgresql://h/d?sslmode=require"),
        ("postgresql://h/d?sslmode=prefer", "postgresql://h/d?sslmode=require"),
        ("postgresql://h/d?sslmode=verify-full&x=1", "postgresql://h/d?sslmode=verify-full&x=1"),
    ],
)
def test_a_given_sslmode_stays(url: str, expected: str) -> None:
    assert with_sslmode(url, "require") == expected
