"""What a group has missed on a topic: looked for in Kafka, remembered in the service's own database.

places   Kafka: where each partition begins and ends, and how far the group has committed
losses   PURE: what is gone, from two looks and the jumps of a consumer
jumps    where a consumer's offsets were not the next ones
ledger   the two tables: the last look, and what was lost until somebody has acknowledged it
watch    one look, told once
"""
