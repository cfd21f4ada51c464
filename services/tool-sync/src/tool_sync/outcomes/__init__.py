"""What others are told: publications of events, the relay to Kafka, the feed over HTTP, replay."""
