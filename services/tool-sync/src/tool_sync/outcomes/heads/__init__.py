"""Signed heads of the log: what somebody who owns its table cannot change unseen (ADR 60).

::

    log ──► signer ──► Kafka: tool-sync.heads.v1 ──► heads_topic ──┐
                              a file that somebody keeps ──────────┴► judge ◄── log

keys         the key that signs, and those that verify
signer       once a minute, by one process: a head, where the log has moved
heads_topic  what the topic holds
judge        PURE: which heads count, and what they say of the log; ``comparing`` asks the log for it
"""
