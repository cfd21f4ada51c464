"""What ends a benchmark without a figure."""


class NotMeasured(Exception):
    """A figure could not be had, or what was measured did not do its work; the message says what was missing."""
