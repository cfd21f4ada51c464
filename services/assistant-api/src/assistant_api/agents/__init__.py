"""Agents: their rows, read and written. One verb per module; what follows from a row, triggers do.

::

    save_requests ─ INSERT, UPDATE ─► agents.saved_revision + 1       (plain SQL does the same)
                                        │  agents_record_…: one row of `saves`, open
                                        ▼  who waits for Vapi wakes the provisioner
    1  provisioner ── claim ─► Vapi ─► agents.provisioned_revision │ refused_revision
                                        │  agents_publish_saved: closes the open saves up to there, one outbox row each
                                        │  agents_close_refused: closes them; nobody is told
                                        ▼  the provisioner wakes the relay
    2  relay ── page of `outbox` ─► Kafka, and the rows are deleted

    rows ────────── DELETE ──────────► agents_publish_deleted: closes open saves, `AssistantDeleted` into the outbox
                                       agents_remove_assistant: one row of `removals`
    save_requests ─ another assistant ► agents_leave_assistant, agents_drop_creation: one row of `removals`
                                        ▼  the route wakes the remover after a deletion
    3  removals ── claim ─► Vapi: deleted, or released; the row goes

Wakes save time only, and reach this process alone. Every loop looks for itself as well, so another replica, plain SQL
and a process that died between commit and wake lose nothing.
"""
