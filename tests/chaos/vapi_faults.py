"""Vapi's own misbehaviour, by the dials of the sandbox. A dial stays turned until it has met a request."""

import asyncio
from typing import Any, Final

from tests.chaos.field import Act, Fault, Field

SECONDS: Final = (2.0, 5.0)
UNTIL_FIRED_SECONDS_MAX: Final = 30.0
WRITES: Final = ["POST /tool", "POST /assistant", "PATCH /assistant/{id}"]
ALL: Final = ["*"]
FORMS: Final = ("truncated", "garbage", "html", "nan", "bom", "empty", "null", "no_id", "other_name", "array", "huge")


def _dial(name: str, routes: list[str], probability: float = 1.0) -> Act:
    async def act(field: Field) -> None:
        rule = f"{name}-{field.dice.randrange(1 << 30)}"
        action = _action(field, name)
        await field.desk.put(rule, routes, action, probability=probability)
        try:
            await asyncio.sleep(field.dice.uniform(*SECONDS))
            if await field.desk.until_fired(rule, UNTIL_FIRED_SECONDS_MAX):
                field.note(name, "Vapi", rule=rule, detail=str(action))
        finally:
            await field.desk.take(rule)

    return act


async def _list_lag(field: Field) -> None:
    async with field.locks["list lag"]:
        milliseconds = field.dice.randrange(50, field.world.times.list_lag_ms)
        field.note("vapi-list-lag", "Vapi", detail=f"{milliseconds} ms")
        await field.desk.set_list_lag(milliseconds)
        try:
            await asyncio.sleep(field.dice.uniform(*SECONDS))
        finally:
            await field.desk.set_list_lag(0)


def _action(field: Field, name: str) -> dict[str, Any]:
    dice, times = field.dice, field.world.times
    match name:
        case "vapi-5xx-before":
            return {"kind": "status", "status": dice.choice((500, 502, 503, 504)), "body": "html"}
        case "vapi-5xx-after":
            return {"kind": "status", "status": dice.choice((500, 502, 504)), "commit": True}
        case "vapi-execute-then-cut":
            close = dice.choice(("rst", "fin"))
            return {"kind": "reset", "commit": True, "after_bytes": dice.randrange(0, 400), "close": close}
        case "vapi-cut-before":
            return {"kind": "reset", "commit": False}
        case "vapi-late":
            return {"kind": "late", "delay_ms": dice.randrange(int(times.deadline * 1000), times.late_ms)}
        case "vapi-429":
            return {"kind": "status", "status": 429, "retry_after": dice.choice(("1", "2"))}
        case "vapi-401":
            return {"kind": "status", "status": 401}
        case "vapi-hang":
            return {"kind": "hang", "commit": dice.random() < 0.5, "hold_ms": int(times.deadline * 3000)}
        case "vapi-drip":
            return {"kind": "drip", "bytes_per_step": 8, "step_ms": int(times.deadline * 200)}
        case "vapi-slow":
            return {"kind": "delay", "latency_ms": {"p50": 200, "p99": int(times.deadline * 900)}}
        case "vapi-wrong-body":
            return {"kind": "mangle", "form": dice.choice(FORMS)}
        case _:
            raise AssertionError(f"no dial is called {name}")


FAULTS: Final = (
    Fault("vapi-5xx-before", _dial("vapi-5xx-before", ALL, 0.7)),
    Fault("vapi-5xx-after", _dial("vapi-5xx-after", WRITES, 0.7)),
    Fault("vapi-execute-then-cut", _dial("vapi-execute-then-cut", WRITES, 0.7)),
    Fault("vapi-cut-before", _dial("vapi-cut-before", ALL, 0.7)),
    Fault("vapi-late", _dial("vapi-late", WRITES, 0.5)),
    Fault("vapi-list-lag", _list_lag),
    Fault("vapi-429", _dial("vapi-429", ALL, 0.5)),
    Fault("vapi-401", _dial("vapi-401", ALL)),
    Fault("vapi-hang", _dial("vapi-hang", ALL, 0.5)),
    Fault("vapi-drip", _dial("vapi-drip", ALL, 0.5)),
    Fault("vapi-slow", _dial("vapi-slow", ALL)),
    Fault("vapi-wrong-body", _dial("vapi-wrong-body", [*WRITES, "GET /assistant/{id}", "GET /tool"], 0.5)),
)
