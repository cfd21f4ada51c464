"""Waking a loop that would otherwise look again at its next poll."""

import asyncio


class Wake:
    """A signal for one waiter. A call while nobody waits is remembered; several count once."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def __call__(self) -> None:
        """Wake the waiter."""
        self._event.set()

    async def wait(self, timeout_seconds: float) -> None:
        """Return when called, at the latest after ``timeout_seconds``."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._event.wait()
        except TimeoutError:
            return
        finally:
            self._event.clear()
