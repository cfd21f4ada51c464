"""What every test here needs."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """A run configures the logs of its process; the next test wants its own."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
