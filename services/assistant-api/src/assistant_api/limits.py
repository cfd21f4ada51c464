"""How long things may be, where one limit follows from another: what is accepted as a prompt comes back from Vapi.

A message of Vapi's repeats the prompt: in the assistant, in the call, and in each list of messages of the artifact.
A 413 to it is a booking that the model never hears of.
"""

from typing import Final

PROMPT_CHARACTERS_MAX: Final = 40_000
BLOCK_CHARACTERS_MAX: Final = 12_000
"""Of our part below it; see `prompt`."""

_ESCAPED_BYTES_MAX: Final = 6
"""A character of UTF-16 in JSON, at most: \\uXXXX. One beyond U+FFFF is two of them."""
_PROMPT_BYTES_MAX: Final = PROMPT_CHARACTERS_MAX * 2 * _ESCAPED_BYTES_MAX

BODY_BYTES_MAX: Final = 64 * 1024 + _PROMPT_BYTES_MAX
"""Of a request: the longest prompt, however it is escaped, and everything else."""

BODY_VALUES_MAX: Final = 10_000
"""Of JSON values in a request. A voice has some dozens; 540 kB of single digits held everybody up for 170 ms."""

_COPIES_MAX: Final = 6
"""`assistant`, `call.assistant`, its overrides, `artifact.messages`, `messagesOpenAIFormatted`, and one to spare."""
_CONVERSATION_BYTES_MAX: Final = 1024 * 1024
"""A call's transcript, in its several forms: hours of talk."""

WEBHOOK_BYTES_MAX: Final = (
    _CONVERSATION_BYTES_MAX + _COPIES_MAX * (PROMPT_CHARACTERS_MAX + BLOCK_CHARACTERS_MAX) * 2 * _ESCAPED_BYTES_MAX
)
"""Of a message of Vapi's: about 4.8 MB. Public receivers saw 0.7 to 1.5 MB with long prompts."""

WEBHOOK_VALUES_MAX: Final = 200_000
"""Of JSON values in such a message: every word of hours of talk as an object of its own."""
