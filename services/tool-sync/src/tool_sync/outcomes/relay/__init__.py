"""Publishes the log's outcomes on Kafka: one leader, in order, at least once.

producer     sends a page's records, all or an exception
cursor       how far it is published, on the connection that holds the leader's lock
relay        the loop
"""

from tool_sync.outcomes.relay.relay import Relay

__all__ = ["Relay"]
