"""What can go wrong with an append that is not an answer (those are values: Appended, Duplicate, Conflict).

::

    Exception
    ├── AppendRejected    this request will never be stored: its data is refused
    └── LogUnavailable    the database did not answer in time: stored or not, nobody knows
"""


class AppendRejected(Exception):
    """The log refuses this request for its data, alone; nothing of it is stored, and trying again cannot help.

    ``sqlstate`` says why; null where the data could not even be encoded.
    """

    def __init__(self, stream: str, sqlstate: str | None, reason: str) -> None:
        super().__init__(f"{stream}: append refused ({sqlstate or 'not encodable'}): {reason}")
        self.stream = stream
        self.sqlstate = sqlstate
        self.reason = reason

    @property
    def is_poison(self) -> bool:
        """True where the data is at fault (class 22: U+0000 in a text, say), false where the code is.

        A fault of the code (class 23, ZT001, a raising fold) means: put the org aside and alarm.
        """
        return self.sqlstate is None or self.sqlstate.startswith("22")


class LogUnavailable(Exception):
    """The outcome of an append is unknown. Send the same event ids again later: what is stored answers Duplicate."""

    def __init__(self, stream: str, seconds: float, reason: str) -> None:
        super().__init__(f"{stream}: no answer from the event log within {seconds:.1f} s: {reason}")
        self.stream = stream
        self.seconds = seconds
        self.reason = reason
