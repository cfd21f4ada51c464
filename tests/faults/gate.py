"""The gate that every wrapped port call passes: it counts, and at the armed point the process kills, stops or cuts.

A point is (port, before or after, nth call). Nothing of this is in the product: `tool_sync_ports` and
`assistant_api_ports` put the gate around the ports of a process that is otherwise started as ever.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Self, TypeVar

from tests.faults.channel import Channel

T = TypeVar("T")

When = Literal["before", "after"]
Action = Literal["KILL", "STOP", "CUT"]

FROM_START: Final = "FAULTS_POINT"
"""Environment variable with a point, as JSON, that is armed before the process begins its work."""


@dataclass(frozen=True, slots=True)
class Point:
    """Where a process fails, and how. ``nth`` counts the calls of the port since it was armed."""

    port: str
    when: When
    action: Action
    nth: int = 1

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        """Read a point from JSON."""
        return cls(**document)

    def document(self) -> dict[str, Any]:
        """The point as JSON."""
        return asdict(self)


def always(_: object) -> bool:
    """Every answer counts."""
    return True


class Gate:
    """Counts the calls of every port and fires the armed point once. ``passed``: ``port before|after`` to a count."""

    def __init__(self, channel: Channel | None, armed: Point | None = None) -> None:
        self._channel = channel
        self._armed = armed
        self._left = armed.nth if armed else 0
        self.passed: Counter[str] = Counter()
        self.woken = 0

    async def around(
        self,
        ports: Iterable[str],
        call: Callable[[], Awaitable[T]],
        *,
        lost: Callable[[T | None], Awaitable[BaseException]],
        counts: Callable[[T], bool] = always,
    ) -> T:
        """Make a call through the gate. A CUT raises what ``lost`` returns: before the call without it, after it with
        its answer in vain. An answer that does not ``count`` is not worth failing at.
        """
        names = tuple(ports)
        if self._fires(names, "before"):
            raise await lost(None)
        answer = await call()
        if counts(answer) and self._fires(names, "after"):
            raise await lost(answer)
        return answer

    def blocked(self, blocked_seconds: float, late_seconds: float) -> None:
        """Report the longest block of the event loop so far."""
        self._tell({"event": "blocked", "blocked": blocked_seconds, "late": late_seconds})

    def _fires(self, ports: tuple[str, ...], when: When) -> bool:
        """Count the passage; True where the caller has to cut."""
        self._listen()
        for port in ports:
            self._count(f"{port} {when}")
        point = self._armed
        if point is None or point.when != when or point.port not in ports:
            return False
        self._left -= 1
        if self._left > 0:
            return False
        self._armed = None
        self._tell({"event": "fired", "point": point.document(), "at": time.time()})
        match point.action:
            case "KILL":
                os.kill(os.getpid(), signal.SIGKILL)
            case "STOP":
                os.kill(os.getpid(), signal.SIGSTOP)
                self.woken += 1
            case "CUT":
                return True
        return False

    def _count(self, name: str) -> None:
        self.passed[name] += 1
        if self.passed[name] == 1:
            self._tell({"event": "passed", "name": name})

    def _listen(self) -> None:
        if self._channel is None:
            return
        for order in self._channel.received():
            point = order["arm"]
            self._armed = None if point is None else Point.of(point)
            self._left = self._armed.nth if self._armed else 0
            self._tell({"event": "armed", "point": point})

    def _tell(self, report: dict[str, Any]) -> None:
        if self._channel is not None:
            self._channel.send(report)
