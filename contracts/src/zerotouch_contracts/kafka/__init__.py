"""aiokafka's clients as our services use them: they stand a broker that goes away, end when they are told to, and are
looked at, as they can stop for good without a word.

A producer is idempotent, so what is promised about order holds while it lives; but its batches never expire, and after
an out-of-order error every send fails until a new one is made (aiokafka issue 1017). So whoever sends sets a deadline,
and after any trouble drops the producer and makes another.

Private names of aiokafka are used in here; hence one minor version of it.
"""

from zerotouch_contracts.kafka.clients import new_admin, new_consumer, new_producer
from zerotouch_contracts.kafka.ends import TROUBLE, described, drop_consumer, drop_producer
from zerotouch_contracts.kafka.progress import ConsumerStuck, Progress, Watch
from zerotouch_contracts.kafka.security import Security, SecurityInvalid, security_of

__all__ = [
    "TROUBLE",
    "ConsumerStuck",
    "Progress",
    "Security",
    "SecurityInvalid",
    "Watch",
    "described",
    "drop_consumer",
    "drop_producer",
    "new_admin",
    "new_consumer",
    "new_producer",
    "security_of",
]
