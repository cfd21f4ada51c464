"""What a command printed, as it was before it was folded to the width of a terminal."""


def unfolded(printed: str) -> str:
    """The words of the text, with one space between them."""
    return " ".join(printed.split())
