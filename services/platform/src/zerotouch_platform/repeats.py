"""What libraries say, in the services' logs."""

import logging
from typing import Final

REPEAT_SECONDS: Final = 60.0
REMEMBERED_MAX: Final = 1000


class OnceAMinute(logging.Filter):
    """Of what libraries say, the same words once a minute: Kafka's clients repeat them, 20 times a second each, for as
    long as the broker is away. What the package ``own`` says is let through always.
    """

    def __init__(self, own: str | None = None) -> None:
        super().__init__()
        self._own = own
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be written."""
        if record.name.partition(".")[0] == self._own:
            return True
        key = (record.name, record.getMessage())
        said_at = self._said.get(key)
        if said_at is not None and record.created - said_at < REPEAT_SECONDS:
            return False
        if len(self._said) >= REMEMBERED_MAX:
            self._said.clear()
        self._said[key] = record.created
        return True
