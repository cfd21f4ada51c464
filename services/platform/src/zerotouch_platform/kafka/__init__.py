"""Kafka as both services use it, on the clients of `contracts`.

topics     does it answer, and are the topics there
consumer   a member of a group: batch after batch, at least once, watched
producer   the idempotent producer of a leader
reading    a topic's newest records, without a group

What a group has missed on a topic is looked for in Kafka, and remembered in the service's own database:

places     where each partition begins and ends, and how far the group has committed
losses     PURE: what is gone, from two looks and the jumps of a consumer
jumps      where a consumer's offsets were not the next ones
ledger     the two tables: the last look, and what was lost until somebody has acknowledged it
watch      one look, told once
"""
