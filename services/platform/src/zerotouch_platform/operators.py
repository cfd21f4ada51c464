"""Who gives a command: the login of the process, which the command does not choose."""

import os
import pwd
from typing import Final

from zerotouch_platform.text import printable

NAME_CHARACTERS_MAX: Final = 64


def operator() -> str:
    """`operator:lee`, or `operator:lee as root` under sudo; the user's number where the machine has no name for it."""
    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        name = f"uid {number}"
    # sudo sets it, and says it of whoever is not root already; the database's login stands beside it anyway.
    if number == 0 and (asked_by := os.environ.get("SUDO_USER", "")) not in ("", name):
        name = f"{asked_by} as {name}"
    return f"operator:{printable(name[:NAME_CHARACTERS_MAX])}"
