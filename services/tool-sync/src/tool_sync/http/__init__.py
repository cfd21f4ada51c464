"""The HTTP API: health, what is known of an org and set for it, the feed and its stream.

app                    builds it, with every router
routes, words          orgs by name, an org's tools, changes and history; what Vapi said
tool_settings          what a clinic sets for one tool; ``setting_body`` is what it may say, ``body`` how it is read
change_windows         when orders may change a clinic's tools
explain, assistants    reasons; the snapshot that a subscriber begins at
feed, stream           outcomes as they are published, page by page or as they happen; ``feed_reader`` is who reads
fleet_feed             the same of what becomes of tools and rollouts
tools, rollouts        what the platform publishes and orders; ``commands`` is what every write of it shares,
                       ``orders`` the stages that are asked for; ``tool_commands`` what routes and pages do to a tool
access                 who asks, and reading as them
problems               errors as RFC 9457 documents
tracing                one server span per request
"""
