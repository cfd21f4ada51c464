"""What Kafka loses while tool-sync does not read: retention overtakes it, or the topic is made again."""

import asyncio
from dataclasses import dataclass
from random import Random

from .checks import Checks
from .topic import Topic

READING_SECONDS_MAX = 30.0
STOPPED_SECONDS_MAX = 20.0


@dataclass(frozen=True, slots=True)
class Gone:
    """Stops the intake for a while, and takes records away meanwhile. ``made_again``: all of them, and the topic."""

    topic: Topic
    checks: Checks
    dice: Random
    made_again: bool

    async def live(self) -> None:
        """Once or twice."""
        for _ in range(self.dice.choice((1, 1, 2))):
            await asyncio.sleep(READING_SECONDS_MAX * self.dice.random())
            self.topic.look()  # the service looks every few seconds
            self.topic.is_read = False
            await asyncio.sleep(STOPPED_SECONDS_MAX * self.dice.random())
            before = len(self.topic.gone)
            # Where the group has read nothing, a topic cannot be told from the one in its place (ADR 29).
            if self.made_again and self.topic.was_read:
                self.topic.make_again()
            elif not self.made_again:
                self.topic.delete_unread()
            self.checks.reached["records gone"] += len(self.topic.gone) - before
            await asyncio.sleep(STOPPED_SECONDS_MAX * self.dice.random())
            await self.topic.read_on()
