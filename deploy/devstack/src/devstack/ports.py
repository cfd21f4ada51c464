"""TCP ports on the loopback interface."""

import asyncio
import random
import socket
from contextlib import closing
from pathlib import Path

HOST = "127.0.0.1"
LOWEST, HIGHEST = 10_000, 65_535
EPHEMERAL = range(32_768, 61_000)  # Linux's default, where the kernel does not say its own

_given: set[int] = set()


def free_port() -> int:
    """Returns a port that nobody listens on at the moment, another one at each call of this process.

    It lies outside the kernel's ephemeral range: a port from there may become the local end of anybody's connection
    before the server that it was chosen for binds it, which is seconds later where that server is a JVM.
    """
    for port in random.sample(candidates(_ephemeral()), k=1_000):
        if port not in _given and _can_be_bound(port):
            _given.add(port)
            return port
    raise OSError(f"no free port between {LOWEST} and {HIGHEST} in 1,000 tries")


def candidates(ephemeral: range) -> list[int]:
    """Returns the ports to choose from: those that no connection takes, or all where the kernel leaves too few."""
    stable = [port for port in range(LOWEST, HIGHEST + 1) if port not in ephemeral]
    return stable if len(stable) >= 2_000 else list(range(LOWEST, HIGHEST + 1))


def _ephemeral() -> range:
    try:
        low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    except (OSError, ValueError):
        return EPHEMERAL
    return range(low, high + 1)


def _can_be_bound(port: int) -> bool:
    with closing(socket.socket()) as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


async def listening(port: int, host: str = HOST) -> bool:
    """Says whether somebody accepts connections on the port."""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
