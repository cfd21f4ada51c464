"""Publishes the log's outcomes on Kafka: one leader, in order, at least once.

producer     sends a page's records, all or an exception
leadership   the advisory lock and the cursor, on one connection
relay        the loop
"""

from tool_sync.outcomes.relay.relay import Relay

__all__ = ["Relay"]
