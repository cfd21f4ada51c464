"""Logs: one JSON object per line on standard output and, where LOG_FILE is set, appended to that file too."""

import logging
import sys
from pathlib import Path
from typing import Any, Final

import structlog
from opentelemetry.trace import format_span_id, format_trace_id, get_current_span

from zerotouch_contracts.logs import OnceAMinute
from zerotouch_contracts.traces import trace_url

VALUE_CHARACTERS_MAX: Final = 2000


def configure(level: str, log_file: Path | None) -> None:
    """Send everything, the libraries' logs included, through one JSON formatter."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
        structlog.processors.format_exc_info,
        _shorten,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.EventRenamer("event"),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout)]
    if log_file is not None:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        # Another service appends to the same file: a line is one write, and O_APPEND keeps lines whole.
        handlers.append(logging.FileHandler(log_file, mode="a", encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(formatter)
        handler.addFilter(OnceAMinute(own="assistant_api"))
    logging.basicConfig(level=level, handlers=handlers, force=True)
    for noisy in ("uvicorn.access", "aiokafka", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _add_trace(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    context = get_current_span().get_span_context()
    event["service"] = "assistant-api"
    if context.is_valid:
        event.setdefault("trace_id", format_trace_id(context.trace_id))
        event.setdefault("span_id", format_span_id(context.span_id))
    if url := trace_url(event.get("trace_id")):
        event["trace_url"] = url
    return event


def _shorten(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key, value in event.items():
        if isinstance(value, str) and len(value) > VALUE_CHARACTERS_MAX and key != "exception":
            event[key] = value[:VALUE_CHARACTERS_MAX] + "…"
    return event
