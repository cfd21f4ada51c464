"""What Vapi allows its key: nothing while it is paused, so many requests a UTC minute otherwise.

port       what the reconciler asks, and the key that always allows
durations  how long an answer pauses a key
shared     one key of any number of replicas
tokens     requests of a minute, drawn in batches
table      its rows in PostgreSQL
paused     which key is paused, why, and what waits for it
"""

from tool_sync.vapi.rate_limit.paused import PausedKey, Waiting, paused_keys, waiting
from tool_sync.vapi.rate_limit.port import Answer, Key, Known, Unlimited
from tool_sync.vapi.rate_limit.shared import KeyLimits, SharedKey
from tool_sync.vapi.rate_limit.table import KeyTable, fingerprint_of

__all__ = [
    "Answer",
    "Key",
    "KeyLimits",
    "KeyTable",
    "Known",
    "PausedKey",
    "SharedKey",
    "Unlimited",
    "Waiting",
    "fingerprint_of",
    "paused_keys",
    "waiting",
]
