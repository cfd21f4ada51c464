"""The HTTP API: health, what is known of an org and set for it, the feed and its stream.

app                    builds it, with every router
routes, words          an org's tools, changes and history; what Vapi said
tool_settings          what a clinic sets for one tool; ``setting_body`` is what it may say, ``body`` how it is read
explain, assistants    reasons; the snapshot that a subscriber begins at
feed, stream           what is published, page by page or as it happens; ``feed_reader`` is who reads
access                 who asks, and reading as them
problems               errors as RFC 9457 documents
tracing                one server span per request
"""
