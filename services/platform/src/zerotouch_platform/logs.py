"""Logs: one JSON object a line on stdout and in ``LOG_FILE``; readable lines instead where stdout is a terminal.

    log = structlog.get_logger(__name__)
    log.info("Tools synced successfully", org_id=…, trace_id=…)

An event has a name and fields, is logged once and where it is handled. ``trace_id`` and ``span_id`` are added from the
current span where the caller does not give them, and the trace's page in Jaeger where that is known. Libraries that use
``logging`` end in the same lines.
"""

import json
import logging
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

import structlog
from opentelemetry.trace import format_span_id, format_trace_id, get_current_span
from structlog.typing import EventDict, Processor, WrappedLogger

from zerotouch_platform.repeats import OnceAMinute
from zerotouch_platform.traces import trace_url

VALUE_CHARACTERS_MAX: Final = 2000
_QUIET_LIBRARIES: Final = ("aiokafka", "faststream", "httpx", "httpcore", "uvicorn", "asyncio")
"""They log each connection or message at INFO; only their warnings are of interest."""

_Sink = Callable[[EventDict], None]


def set_up(service: str, *, level: str, log_file: Path | None, worker: int | None = None) -> None:
    """Configure structlog and ``logging`` for the process. ``log_file`` is appended to; its folder is made.

    ``worker`` is its number among several, and stands in every line.
    """
    sinks: list[_Sink] = [_to_terminal() if sys.stdout.isatty() else partial(_write_to, sys.stdout.fileno())]
    if log_file is not None:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        sinks.append(_File(log_file))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _add_context(service, worker),
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            _shorten,
            _Write(sinks),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=level, handlers=[_FromLogging()], force=True)
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


def _add_context(service: str, worker: int | None) -> Processor:
    who: dict[str, Any] = {"service": service} if worker is None else {"service": service, "worker": worker}

    def add(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        # What happened comes first, where a person looks for it.
        event = {"event": event.pop("event", None), **who, "logger": logger.name, **event}
        if (context := get_current_span().get_span_context()).is_valid:
            event.setdefault("trace_id", format_trace_id(context.trace_id))
            event.setdefault("span_id", format_span_id(context.span_id))
        if url := trace_url(event.get("trace_id")):
            event["trace_url"] = url
        return event

    return add


def _shorten(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if isinstance(value, str) and len(value) > VALUE_CHARACTERS_MAX and key != "exception":
            event[key] = value[:VALUE_CHARACTERS_MAX] + "…"
    return event


class _Write:
    """The last processor: gives the event to every sink; structlog's own logger has nothing left to do."""

    def __init__(self, sinks: list[_Sink]) -> None:
        self._sinks = sinks

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> NoReturn:
        for sink in tuple(self._sinks):
            try:
                sink(event)
            except OSError as error:  # a full disk or a closed pipe must not stop the work
                self._sinks.remove(sink)
                print(f"logs: gave up on a destination: {error}", file=sys.stderr)
        raise structlog.DropEvent


def _write_to(descriptor: int, event: EventDict) -> None:
    os.write(descriptor, json.dumps(event, default=str, ensure_ascii=False).encode("utf-8", "replace") + b"\n")


class _File:
    """A file that any number of processes append to, and that may be renamed at any time, to begin a new one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor, self._opened = self._open()

    def __call__(self, event: EventDict) -> None:
        # What is written between the rename and our look lands in the renamed file, whole: nothing is lost.
        if self._opened != self._there():
            os.close(self._descriptor)
            self._descriptor, self._opened = self._open()
        # One write a line on an O_APPEND descriptor: lines of several processes do not mix.
        _write_to(self._descriptor, event)

    def _open(self) -> tuple[int, tuple[int, int]]:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        found = os.fstat(descriptor)
        return descriptor, (found.st_dev, found.st_ino)

    def _there(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino


def _to_terminal() -> _Sink:
    renderer = structlog.dev.ConsoleRenderer(timestamp_key="time")

    def write(event: EventDict) -> None:
        print(renderer(None, "", dict(event)), flush=True)

    return write


class _FromLogging(logging.Handler):
    """Hands what libraries log to structlog; the same words once a minute at most: clients repeat them."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(OnceAMinute())

    def emit(self, record: logging.LogRecord) -> None:
        raised = record.exc_info is not None and record.exc_info[0] is not None
        fields: dict[str, Any] = {"exc_info": record.exc_info} if raised else {}
        level = record.levelno if record.levelno in logging.getLevelNamesMapping().values() else logging.INFO
        structlog.get_logger(record.name).log(level, record.getMessage(), **fields)
