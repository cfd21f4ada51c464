"""A process's line to whoever runs it: JSON lines over a UNIX socket, written at once and read without waiting."""

import json
import os
import socket
from typing import Any, Final, Self

SOCKET: Final = "FAULTS_SOCKET"
NAME: Final = "FAULTS_NAME"
"""Environment variables: the socket of the harness, and what this process is called there."""
READ_BYTES: Final = 65_536


class Channel:
    """One connected socket. Reports are small and rare: writing them blocks for no time worth mentioning."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""
        self.closed = False

    @classmethod
    def from_environment(cls) -> Self | None:
        """Connect and say who we are; None where nobody listens to this process."""
        path = os.environ.get(SOCKET)
        if not path:
            return None
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(path)
        channel = cls(connection)
        channel.send({"event": "hello", "name": os.environ[NAME], "pid": os.getpid()})
        return channel

    def fileno(self) -> int:
        """The socket's number."""
        return self._connection.fileno()

    def send(self, report: dict[str, Any]) -> None:
        """Write one line."""
        self._connection.sendall(json.dumps(report).encode() + b"\n")

    def received(self) -> list[dict[str, Any]]:
        """The lines that have arrived whole."""
        try:
            data = self._connection.recv(READ_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        self.closed = not data
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]
