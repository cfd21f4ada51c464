"""When a consumer group begins to consume, as the broker sees it: the same start of the clock for both sides."""

import asyncio
import time

from aiokafka.admin import AIOKafkaAdminClient

from benchmarks.errors import NotMeasured
from devstack.process import Child, tail

POLL_SECONDS = 0.01
START_SECONDS_MAX = 60.0
_STABLE = "Stable"


async def consuming_since(admin: AIOKafkaAdminClient, group: str, child: Child) -> float:
    """Wait until the group has its member and its partitions; returns that moment on the monotonic clock.

    From then on its member may fetch records. Raises :class:`NotMeasured` when the process ends, or after 60 s.
    """
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        if child.returncode is not None:
            raise NotMeasured(f"{child.name} ended with status {child.returncode}:\n{tail(child.log)}")
        if await _state(admin, group) == _STABLE:
            return time.monotonic()
        await asyncio.sleep(POLL_SECONDS)
    raise NotMeasured(f"{child.name} consumes nothing after {START_SECONDS_MAX:.0f} s:\n{tail(child.log)}")


async def _state(admin: AIOKafkaAdminClient, group: str) -> str:
    [response] = await admin.describe_consumer_groups([group])
    [(_, _, state, *_)] = response.groups
    return str(state)
