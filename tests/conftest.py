"""Fixtures of every tier: real PostgreSQL, real Kafka and the Vapi sandbox come from devstack."""

pytest_plugins = ("devstack.fixtures",)
