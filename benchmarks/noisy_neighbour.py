"""`noisy_neighbour_…`: a clinic's saves while another one's token does its worst (`noisy_attacker`), beside quiet ones.

The neighbour saves new agents one after another, each of a new clinic: from before the request is sent until its
`ToolsSynced` was readable on Kafka. Somebody asks both services for `/livez` meanwhile, each time over a connection of
its own.
The attacker is a process of its own, which keeps itself to half a core. How long event loops were blocked is what their
own threads computed in one piece (`tests.chaos.watch`): what a loop waited for a core is the machine's.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import UUID

import aiohttp

from benchmarks import proc
from benchmarks.errors import NotMeasured
from benchmarks.figures import Say, percentile
from benchmarks.machine import ROOT
from benchmarks.rows import Row
from benchmarks.whole import Whole, serving
from benchmarks.world import World

VAPI_MS: Final = 200
SAVES: Final = int(os.environ.get("NOISY_SAVES", "100"))
"""Of each phase."""
KINDS: Final = os.environ.get("NOISY_KINDS", "").split()
"""What the attacker does, by the names in :mod:`benchmarks.noisy_attacker`; none are all of it."""
PHASE_SECONDS_MAX: Final = 150.0
"""Then no further save begins: a neighbour who is held up makes fewer of them, and :data:`SAVES_MIN` are enough."""
SAVES_MIN: Final = 10
WARM_UP_SAVES: Final = 5
WARM_UP_SECONDS: Final = 10.0
"""The attacker's burst, and the first of what it left waiting: the neighbour saves from then on."""
OUTCOME_SECONDS_MAX: Final = 60.0
PROBE_SECONDS: Final = 0.1


@dataclass(slots=True)
class Seen:
    """One phase. Seconds: of saves to their outcome, to their answer, and of `/livez` by service."""

    synced: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    live: dict[str, list[float]] = field(default_factory=dict)
    cores: dict[str, float] = field(default_factory=dict)
    """What each process had of a core; what is missing from the machine's is others', or nobody's."""


async def measure(world: World, say: Say) -> list[Row]:
    """The rows. Raises :class:`NotMeasured`."""
    with TemporaryDirectory() as folder:
        async with serving(world, vapi_ms=VAPI_MS, blocks=Path(folder)) as whole:
            await _saves(whole, WARM_UP_SAVES)
            quiet = await _phase(world, whole)
            _tell(say, "quiet", quiet)
            quiet_blocks = _blocks(Path(folder))
            async with _attacked(world, whole) as report:
                await asyncio.sleep(WARM_UP_SECONDS)
                noisy = await _phase(world, whole)
                _tell(say, "attacked", noisy)
            memory = {child.name: proc.peak_memory_mb(child.pid) for child in (whole.assistant_api, whole.tool_sync)}
        computing = {name: blocked[quiet_blocks.get(name, 0) :] for name, blocked in _read_blocks(Path(folder)).items()}
    share = float(report["share"])
    say(f"  attacker: {share:.2f} of a core; answers {_counted(report['told'])}; broken {report['broken']}")
    say(f"  peak memory: {', '.join(f'{name} {size:.0f} MB' for name, size in memory.items())}")
    worst = max((seconds for blocked in computing.values() for seconds in blocked), default=0.0)
    for name, blocked in computing.items():
        longest = max(blocked, default=0.0)
        say(f"  {name}: computed for more than 50 ms in one piece {len(blocked)} times; longest {longest:.3f} s")
    if report["broken"]:
        raise NotMeasured(f"the attacker did not do all of it to the end: {report['broken']}")
    if share > 0.55:
        raise NotMeasured(f"the attacker used {share:.2f} of a core: half of one is what it may")
    ratio = percentile(noisy.synced, 99) / percentile(quiet.synced, 99)
    live_ms = [1000 * seconds for service in noisy.live.values() for seconds in service]
    return [
        Row("noisy_neighbour_save_p99", "times quiet", "lower", (ratio,), goal="≤ 2"),
        Row("noisy_neighbour_save_p99_seconds", "s", "lower", (percentile(noisy.synced, 99),)),
        Row("noisy_neighbour_livez_p99_ms", "ms", "lower", (percentile(live_ms, 99),), goal="< 100"),
        Row("noisy_neighbour_livez_longest_ms", "ms", "lower", (max(live_ms),), goal="< 100"),
        Row("noisy_neighbour_memory_mb", "MB", "lower", (max(memory.values()),), goal="< 250"),
        Row("noisy_neighbour_blocked_ms", "ms", "lower", (worst * 1000,), goal="≤ 50"),
        Row("noisy_neighbour_attacker_cores", "cores", "lower", (share,)),
    ]


def _tell(say: Say, name: str, seen: Seen) -> None:
    for what, seconds in (("save to synced", seen.synced), ("save to answer", seen.answered), *seen.live.items()):
        p50, p99 = percentile(seconds, 50), percentile(seconds, 99)
        what = what if what.startswith("save") else f"/livez of {what}"
        say(f"  {name}, {what}: p50 {p50:.3f} s, p99 {p99:.3f} s, longest {max(seconds):.3f} s, {len(seconds)} times")
    cores = ", ".join(f"{part} {share:.2f}" for part, share in seen.cores.items())
    say(f"  {name}, cores: {cores}; all of the machine's processes that wanted one: {os.getloadavg()[0]:.1f}")


def _counted(told: dict[str, int]) -> str:
    return ", ".join(f"{what} {count:,}" for what, count in sorted(told.items()))


async def _phase(world: World, whole: Whole) -> Seen:
    seen = Seen(live={name: [] for name in whole.urls})
    began, before = time.monotonic(), _cpu(world, whole)
    probes = [asyncio.ensure_future(_probe(url, seen.live[name])) for name, url in whole.urls.items()]
    try:
        seen.synced, seen.answered = await _saves(whole, SAVES)
    finally:
        for probe in probes:
            probe.cancel()
        ended = await asyncio.gather(*probes, return_exceptions=True)
    took = time.monotonic() - began
    seen.cores = {part: (seconds - before[part]) / took for part, seconds in _cpu(world, whole).items()}
    for error in ended:
        if isinstance(error, Exception):
            raise NotMeasured(f"/livez: {type(error).__name__}: {error}")
    return seen


def _cpu(world: World, whole: Whole) -> dict[str, float]:
    services = (whole.assistant_api, whole.tool_sync)
    return world.cpu() | {service.name: proc.cpu_seconds(service.pid) for service in services}


async def _saves(whole: Whole, count: int) -> tuple[list[float], list[float]]:
    """Save at most ``count`` new agents, each of a new clinic; seconds to each outcome, and to each answer."""
    synced: list[float] = []
    answered: list[float] = []
    until = time.monotonic() + PHASE_SECONDS_MAX
    for _ in range(count):
        if time.monotonic() > until and len(synced) >= SAVES_MIN:
            break
        org_id = await whole.new_org()
        began = time.monotonic()
        _, request_id = await whole.new_agent(org_id)
        answered.append(time.monotonic() - began)
        synced.append(await whole.reader.arrival(request_id, OUTCOME_SECONDS_MAX) - began)
    return synced, answered


async def _probe(url: str, seconds: list[float]) -> None:
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as http:
        while True:
            began = time.monotonic()
            async with http.get(f"{url}/livez") as answer:
                await answer.read()
            if answer.status != 200:
                raise NotMeasured(f"{url}/livez answers {answer.status}")
            seconds.append(time.monotonic() - began)
            await asyncio.sleep(PROBE_SECONDS)


@asynccontextmanager
async def _attacked(world: World, whole: Whole) -> AsyncIterator[dict[str, Any]]:
    """The attacker runs while the block does; what it reports is there afterwards."""
    report: dict[str, Any] = {}
    org_id: UUID = await whole.new_org()
    orders = {
        "assistant_api": whole.urls["assistant-api"], "tool_sync": whole.urls["tool-sync"],
        "token": world.signer.org_token(str(org_id)), "org_id": str(org_id), "kinds": KINDS,
    }  # fmt: skip
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.noisy_attacker", cwd=ROOT,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert child.stdin is not None
    child.stdin.write(json.dumps(orders).encode() + b"\n")
    try:
        yield report
        child.stdin.close()  # its end is the order to end: `communicate` without input leaves it open in Python 3.11
        async with asyncio.timeout(60):
            said, _ = await child.communicate()
        report.update(json.loads(said))
    except (TimeoutError, ValueError) as error:
        raise NotMeasured(f"the attacker said nothing: {error!r}") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


def _read_blocks(folder: Path) -> dict[str, list[float]]:
    """Seconds that each loop computed in one piece, above 50 ms, in their order; those of a start left out."""
    found: dict[str, list[float]] = {}
    for file in sorted(folder.glob("*.jsonl")):
        lines = map(json.loads, file.read_text().splitlines())
        found[file.stem] = [line["computing"] for line in lines if line["computing"] > 0.05 and line["age"] > 5]
    return found


def _blocks(folder: Path) -> Counter[str]:
    return Counter({name: len(blocked) for name, blocked in _read_blocks(folder).items()})
