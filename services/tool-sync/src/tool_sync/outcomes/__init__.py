"""What goes out: the log's outcomes and what becomes of tools, as messages of the contract.

::

    published      the topics, one value each: what of the log is on it, under which numbers
    publications   domain event -> message; fleet_publications: of the fleet's topic
    filters        which of them a reader wants
    pages          reads them from the log by position; the three below walk it
    relay          publishes all on Kafka: one leader, a cursor
    feed           tells readers over HTTP
    replay         sends history again, to a topic of its own
    topic_guard    suspends writes while a topic is ahead of the log
    heads          signs where the log stands, and compares what was signed with it
"""
