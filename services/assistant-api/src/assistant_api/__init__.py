"""Saves assistants, writes them to Vapi and publishes `AssistantSaved`.

    HTTP ─► agents/ (the row) ─► provisioner/ ─► Vapi ─► outbox (by trigger) ─► relay/ ─► Kafka
    plain SQL ─┘                                         outcomes/ ◄─ Kafka: status, repairs

The row is the queue: whoever raises `agents.saved_revision`, the provisioner brings it to Vapi. The three hops that
triggers make are drawn in `agents/__init__.py`.
"""
