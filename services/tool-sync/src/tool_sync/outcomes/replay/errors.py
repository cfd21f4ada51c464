"""What ends a replay or a rewind."""


class CannotReplay(Exception):
    """Nothing was sent, or not all; the message says why and what to do."""
