"""Publishes the log on Kafka, topic by topic: one leader of each, in order, at least once.

cursor       how far it is published, on the connection that holds the leader's lock
relay        the loop
"""

from tool_sync.outcomes.relay.relay import Relay

__all__ = ["Relay"]
