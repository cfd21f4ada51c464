"""What Vapi allows its key: nothing while it is paused, so many requests a UTC minute otherwise.

port       what the reconciler asks
durations  how long an answer pauses a key
shared     one key of any number of replicas
tokens     requests of a minute, drawn in batches
curve      how much of a minute may be used by a moment of it
pace       bulk work along that curve
borrowing  what assistant-api does not need of the minute
table      its rows in PostgreSQL
paused     which key is paused, and why
"""

from tool_sync.vapi.rate_limit.paused import PausedKey, keys_holding, paused_keys
from tool_sync.vapi.rate_limit.port import Answer, CallLane, Key, KnownKey
from tool_sync.vapi.rate_limit.shared import KeyLimits, SharedKey
from tool_sync.vapi.rate_limit.table import KeyTable
from zerotouch_platform.vapi.key_name import fingerprint_of

__all__ = [
    "Answer",
    "CallLane",
    "Key",
    "KeyLimits",
    "KeyTable",
    "KnownKey",
    "PausedKey",
    "SharedKey",
    "fingerprint_of",
    "keys_holding",
    "paused_keys",
]
