"""Faults of the network, by the proxies: cut, slow, and black-holed connections, and answers that get lost."""

import asyncio
from typing import Final

from tests.chaos.field import Act, Fault, Field
from tests.faults.proxy import BlackHole, CutAfter, Delay, Mode, Pass, Proxy, Refuse
from tests.support.eventually import until

SECONDS: Final = (2.0, 6.0)
REFUSE_SECONDS: Final = 1.0
CONNECTED_SECONDS_MAX: Final = 20.0
ANSWER_BYTES_MAX: Final = 3000


def _for_a_while(name: str, to: str) -> Act:
    async def act(field: Field) -> None:
        seconds = field.dice.uniform(*SECONDS)
        proxy, mode = _proxy(field, to), _mode(field, name)
        async with field.locks[proxy.name]:
            field.note(name, proxy.name, detail=f"{mode}, {seconds:.1f} s")
            proxy.mode = mode
            try:
                await asyncio.sleep(seconds)
            finally:
                proxy.mode = Pass()

    return act


def _cut(name: str, to: str) -> Act:
    async def act(field: Field) -> None:
        proxy = _proxy(field, to)
        async with field.locks[proxy.name]:

            async def connected() -> bool:
                return proxy.connections > 0

            await until(connected, CONNECTED_SECONDS_MAX)
            field.note(name, proxy.name, detail=f"{proxy.reset()} connections")
            proxy.mode = Refuse()
            try:
                await asyncio.sleep(REFUSE_SECONDS)
            finally:
                proxy.mode = Pass()

    return act


def _proxy(field: Field, to: str) -> Proxy:
    if to == "kafka":
        return field.world.broker_proxy
    replica = field.dice.choice(field.world.replicas)
    return replica.database if to == "postgres" else replica.vapi


def _mode(field: Field, name: str) -> Mode:
    what = name.partition("-")[0]
    if what == "slow":
        return Delay(field.dice.uniform(0.1, 0.5))
    if what == "truncate":
        return CutAfter(field.dice.randrange(1, ANSWER_BYTES_MAX), field.dice.choice(("rst", "fin")))
    return BlackHole(answers=what == "losing")


FAULTS: Final = (
    Fault("cut-kafka", _cut("cut-kafka", "kafka")),
    Fault("blackhole-kafka", _for_a_while("blackhole-kafka", "kafka")),
    Fault("losing-kafka-answers", _for_a_while("losing-kafka-answers", "kafka")),
    Fault("slow-kafka", _for_a_while("slow-kafka", "kafka")),
    Fault("cut-postgres", _cut("cut-postgres", "postgres")),
    Fault("blackhole-postgres", _for_a_while("blackhole-postgres", "postgres")),
    Fault("losing-postgres-answers", _for_a_while("losing-postgres-answers", "postgres")),
    Fault("cut-vapi", _cut("cut-vapi", "vapi")),
    Fault("blackhole-vapi", _for_a_while("blackhole-vapi", "vapi")),
    Fault("truncate-vapi", _for_a_while("truncate-vapi", "vapi")),
)
