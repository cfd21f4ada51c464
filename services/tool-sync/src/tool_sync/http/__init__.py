"""The HTTP API: health, what is known of an org, the feed and its stream.

app                    builds it, with every router
routes, words          an org's tools and history; what Vapi said
explain, assistants    reasons; the snapshot that a subscriber begins at
feed, stream           what is published, page by page or as it happens; ``feed_reader`` is who reads
access                 who asks, and reading as them
problems               errors as RFC 9457 documents
tracing                one server span per request
"""
