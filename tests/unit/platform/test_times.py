"""Times that requests name: of RFC 3339, and no number that could be read as one."""

from datetime import UTC, datetime
from typing import Annotated

import pytest
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from zerotouch_platform.request_times import WithDate

TIME: TypeAdapter[datetime] = TypeAdapter(Annotated[AwareDatetime, WithDate])


@pytest.mark.parametrize("said", ["2026-11-28T14:30:00Z", "2026-11-28 15:30:00+01:00", "2026-11-28T14:30Z"])
def test_a_time_with_a_date_is_read(said: str) -> None:
    assert TIME.validate_python(said) == datetime(2026, 11, 28, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "said", ["0.5", "1796038373", "-1", "2026", "14:30:00Z", "", " 2026-11-28T14:30:00Z", 0.5, 17, True]
)
def test_a_number_is_no_time(said: object) -> None:
    with pytest.raises(ValidationError, match="RFC 3339"):
        TIME.validate_python(said)
