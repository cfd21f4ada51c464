"""Where people look at a trace: its page in Jaeger's UI (``JAEGER_UI_URL``)."""

_jaeger_ui_url: str | None = None


def show_traces_at(jaeger_ui_url: str | None) -> None:
    """Where links to traces lead: for the whole process, as the current span is."""
    global _jaeger_ui_url
    _jaeger_ui_url = jaeger_ui_url


def trace_url(trace_id: str | None) -> str | None:
    """The page of a trace; None where there is no trace, or no address is known."""
    return page_of(trace_id, _jaeger_ui_url)


def page_of(trace_id: str | None, jaeger_ui_url: str | None) -> str | None:
    """The page of a trace in the UI at this address."""
    return f"{jaeger_ui_url.rstrip('/')}/trace/{trace_id}" if jaeger_ui_url and trace_id else None
