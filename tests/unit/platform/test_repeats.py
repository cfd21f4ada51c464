"""What libraries say again and again is written once a minute; what we say, always."""

import logging
import subprocess
import sys

import pytest

from zerotouch_platform.repeats import REPEAT_SECONDS, OnceAMinute

PROGRAM = """
import logging
from zerotouch_platform import logs
logs.set_up("assistant-api", level="INFO", log_file=None)
for _ in range(3):
    logging.getLogger("aiokafka.conn").error("refused")
"""


def record(name: str, message: str, at: float) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.ERROR, __file__, 1, message, None, None)
    made.created = at
    return made


def test_a_library_says_the_same_once_a_minute() -> None:
    heard = OnceAMinute("assistant_api")
    times = [0.0, 0.05, REPEAT_SECONDS - 0.1, REPEAT_SECONDS, REPEAT_SECONDS + 1]
    assert [heard.filter(record("aiokafka.conn", "refused", at)) for at in times] == [True, False, False, True, False]


def test_another_message_and_another_logger_are_heard() -> None:
    heard = OnceAMinute("assistant_api")
    said = [("aiokafka", "refused"), ("aiokafka", "closed"), ("aiokafka.conn", "refused")]
    assert all(heard.filter(record(name, message, 0)) for name, message in said)


def test_we_are_heard_always() -> None:
    heard = OnceAMinute("assistant_api")
    assert all(heard.filter(record("assistant_api.relay.loop", "relay_leads", at)) for at in (0.0, 0.0))


def test_it_forgets_rather_than_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zerotouch_platform.repeats.REMEMBERED_MAX", 2)
    heard = OnceAMinute("assistant_api")
    assert [heard.filter(record("aiokafka", name, 0)) for name in "abca"] == [True, True, True, True]


def test_so_it_is_in_the_process() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.count("refused") == 1
