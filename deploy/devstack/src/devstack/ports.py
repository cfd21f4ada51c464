"""TCP ports on the loopback interface."""

import asyncio
import socket
from contextlib import closing

HOST = "127.0.0.1"


def free_port() -> int:
    """Returns a port that nobody listens on at the moment."""
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


async def listening(port: int, host: str = HOST) -> bool:
    """Says whether somebody accepts connections on the port."""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
