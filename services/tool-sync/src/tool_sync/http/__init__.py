"""The HTTP API: health, and what is known of an org.

app        builds it
routes     the two routes of an org
reads      their SQL, also used by the command line
problems   errors as RFC 9457 documents
tracing    one server span per request
server     uvicorn inside our own event loop
"""
