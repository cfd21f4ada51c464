"""From the outbox to Kafka: one leader, rows in order, at least once, deleted when Kafka has them."""
