"""What goes out: the log's outcomes, as messages of the contract.

::

    publications   domain event -> message
    filters        which of them a reader wants
    pages          reads them from the log by position; the three below walk it
    relay          publishes all on Kafka: one leader, a cursor
    feed           tells readers over HTTP
    replay         sends history again, to a topic of its own
    topic_guard    suspends writes while the topic is ahead of the log
"""
