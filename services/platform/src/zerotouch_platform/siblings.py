"""The workers of one machine ask each other how they are: whichever is asked over the public port answers for all.

    GET /readyz ──► worker 2 ──► its own checks
                       ├─ folder/1 ─► worker 1   asked `ready`: a line of JSON, and the end
                       └─ folder/3 ─► worker 3

`/livez`, `/readyz`   say what is wrong with any of them
`/workers`            names each, with its figures: one page for the machine
`/metrics`            has what each has measured, by the label `worker`
"""

import asyncio
import json
import os
import resource
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from zerotouch_platform.gauges import Gauges
from zerotouch_platform.health import Health
from zerotouch_platform.meters import Meters, merged
from zerotouch_platform.worker import Worker

Question = Literal["live", "ready", "there", "page", "metrics"]
"""Only what is asked is looked at: a question of liveness must not wait for the checks of readiness."""

PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
ASK_SECONDS_BEYOND_CHECKS: Final = 1.0
"""A sibling may take as long as its checks may, and then has to say so."""


class Siblings:
    """This process among its siblings; alone where ``worker`` is None. ``health`` speaks for all of them from now on.

    ``meters`` are what this process measures, ``gauges`` what it looks up for all, once it does.
    """

    def __init__(self, worker: Worker | None, health: Health, meters: Meters) -> None:
        self.gauges: Gauges | None = None
        self._meters = meters
        self._worker, self._health = worker, health
        self._began = time.monotonic()
        self._stopping = asyncio.Event()
        if worker is not None:
            health.of_siblings = self._problems
            health.notes["workers"] = self._absent

    async def run_forever(self) -> None:
        """Answer siblings until :meth:`stop`."""
        if self._worker is None:
            await self._stopping.wait()
            return
        # What a killed worker left there is replaced.
        async with await asyncio.start_unix_server(self._answer, self._worker.socket_of(self._worker.number)):
            await self._stopping.wait()

    def stop(self) -> None:
        """End :meth:`run_forever`."""
        self._stopping.set()

    async def page(self, _: Request) -> JSONResponse:
        """``GET /workers``."""
        return JSONResponse({"workers": await self.workers()})

    async def workers(self) -> dict[str, dict[str, Any] | None]:
        """Every worker by its number; None is one that is not there, and is being started."""
        if self._worker is None:
            return {"1": await self._own()}
        own = str(self._worker.number)
        others = await self._others("page")
        return dict(sorted({own: await self._own(), **others}.items()))

    async def metrics(self, _: Request) -> Response:
        """``GET /metrics``: every worker's, in Prometheus' text form."""
        own = await self._measured()
        if self._worker is not None:
            pages = {str(self._worker.number): own}
            for number, answer in (await self._others("metrics")).items():
                if answer is not None and "metrics" in answer:
                    pages[number] = answer["metrics"]
            own = merged(pages)
        return Response(own, media_type=PROMETHEUS)

    async def _measured(self) -> str:
        if self.gauges is not None:
            await self.gauges.refresh(self._health.check_seconds_max)
        return self._meters.page()

    async def _said(self, question: str) -> dict[str, Any]:
        if question == "there":
            return {"pid": os.getpid()}
        looks: Mapping[str, Callable[[], Awaitable[object]]] = {
            "live": self._health.own_live_problems,
            "ready": self._health.own_ready_problems,
            "metrics": self._measured,
        }
        return {question: await looks[question]()} if question in looks else await self._own()

    async def _own(self) -> dict[str, Any]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "pid": os.getpid(),
            "starts": 1 if self._worker is None else self._worker.starts,
            "up_seconds": round(time.monotonic() - self._began, 1),
            "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
            "live": await self._health.own_live_problems(),
            "ready": await self._health.own_ready_problems(),
            **({} if self.gauges is None else {"gauges": dict(self.gauges.values)}),
        }

    async def _answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            async with asyncio.timeout(ASK_SECONDS_BEYOND_CHECKS):
                question = await reader.readline()
            writer.write(json.dumps(await self._said(question.decode().strip())).encode())
            await writer.drain()
        except (ConnectionError, TimeoutError):  # whoever asked has gone, or asks nothing
            return
        finally:
            writer.close()

    async def _others(self, question: Question) -> dict[str, dict[str, Any] | None]:
        assert self._worker is not None
        numbers = [number for number in range(1, self._worker.count + 1) if number != self._worker.number]
        answers = await asyncio.gather(*(self._ask(number, question) for number in numbers))
        return dict(zip(map(str, numbers), answers, strict=True))

    async def _ask(self, number: int, question: Question) -> dict[str, Any] | None:
        """What a sibling says; None where there is nobody. One that is there and does not answer is stuck."""
        assert self._worker is not None
        seconds = self._health.check_seconds_max + ASK_SECONDS_BEYOND_CHECKS
        try:
            async with asyncio.timeout(seconds):
                reader, writer = await asyncio.open_unix_connection(self._worker.socket_of(number))
                try:
                    writer.write(f"{question}\n".encode())
                    answer = await reader.read()
                finally:
                    writer.close()
        except (FileNotFoundError, ConnectionError):  # no socket, or nobody behind it: the supervisor starts it anew
            return None
        except OSError:  # time is up, or its queue is full
            stuck = {"process": f"does not answer within {seconds:g} s"}
            return {"live": stuck, "ready": stuck}
        found: dict[str, Any] | None = json.loads(answer) if answer else None
        return found

    async def _problems(self, kind: Literal["live", "ready"]) -> dict[str, str]:
        return {
            f"worker {number}": "; ".join(f"{name}: {reason}" for name, reason in answer[kind].items())
            for number, answer in (await self._others(kind)).items()
            if answer is not None and answer[kind]
        }

    async def _absent(self) -> list[str]:
        return [
            f"worker {number} is being started"
            for number, answer in (await self._others("there")).items()
            if not answer
        ]
