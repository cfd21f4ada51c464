"""Asks assistant-api for what it does not need of the key's minute: `POST /api/vapi-minutes` (ADR 51)."""

from typing import Final

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from zerotouch_platform.peer import Peer, Silence

DEADLINE_SECONDS: Final = 2.0
"""What is lent later is of little use: its minute runs."""

log = structlog.get_logger(__name__)


class _Lent(BaseModel):
    """What is read of the answer; strictly, as it may be anybody's."""

    model_config = ConfigDict(extra="ignore", strict=True, hide_input_in_errors=True)
    minute: int
    requests: int


class Lender:
    """``key`` is the fingerprint of the Vapi key that both services work with."""

    def __init__(self, peer: Peer, key: str) -> None:
        self._peer, self._key = peer, key
        self._said = ""

    async def lend(self, minute: int, wanted: int) -> int:
        """So many requests of this minute are lent; 0 where nobody plainly says so."""
        document = {"key": self._key, "minute": minute, "requests": wanted}
        answer = await self._peer.post("/api/vapi-minutes", document, deadline_seconds=DEADLINE_SECONDS)
        if isinstance(answer, Silence):
            return self._nothing(answer.why)
        if answer.status != 200:
            return self._nothing(f"{self._peer.name} answers {answer.status}")
        try:
            lent = _Lent.model_validate_json(answer.body or b"")
        except ValidationError:
            return self._nothing(f"what answers is no {self._peer.name}")
        if lent.minute != minute:
            return self._nothing(f"another minute is lent: {lent.minute}")
        self._said = ""
        return lent.requests

    def _nothing(self, why: str) -> int:
        """Once for each reason, not for each minute."""
        if why != self._said:
            log.warning("Nothing is lent of the key's minute", reason=why)
        self._said = why
        return 0
