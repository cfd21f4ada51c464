"""Which credential a clinic's own account at Vapi has for our webhook. By itself: plans read it without a client."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OwnCredential:
    """With which credential of a clinic's own account Vapi signs calls of our tools; None: it signs none."""

    id: str | None
