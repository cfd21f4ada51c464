"""The loops of the process: what each waits out, and for how long."""

import logging
from collections.abc import Mapping
from typing import Final

import asyncpg

from assistant_api.app import housekeeping
from assistant_api.app.housekeeping import Housekeeping
from assistant_api.db import TRANSIENT_ERRORS, DatabaseUnavailable
from assistant_api.outcomes.consumer import OutcomesConsumer
from assistant_api.provisioner.blocks import BlockRewrites
from assistant_api.provisioner.loop import Provisioner
from assistant_api.removals.loop import Remover
from assistant_api.removals.sweep import LOOKS_PER_AGE, Sweep
from assistant_api.restore.guard import AWAY, TopicAhead, TopicGuard
from assistant_api.settings import Settings
from zerotouch_platform import gauges
from zerotouch_platform.gauges import Gauges
from zerotouch_platform.loops import Loop
from zerotouch_platform.supervisor import Part
from zerotouch_platform.vapi import clock_watch
from zerotouch_platform.vapi.clock_watch import ClockWatch

_AWAY: Final = (DatabaseUnavailable, *TRANSIENT_ERRORS)


def work(
    settings: Settings,
    guard: TopicGuard,
    provisioner: Provisioner,
    blocks: BlockRewrites,
    remover: Remover,
    sweep: Sweep,
    outcomes: OutcomesConsumer,
) -> Mapping[str, Part]:
    """The loops that agents and outcomes need."""
    return {
        "guard": Loop(
            run_once=guard.run_once,
            pause_seconds=settings.reconnect_seconds_max,
            waits="topic_not_known",
            transient=(TopicAhead, *AWAY),
            level=logging.DEBUG,
        ),
        "provisioner": Loop(
            run_once=provisioner.run_once,
            pause_seconds=settings.provision_poll_seconds,
            waits="provisioner_waits",
            transient=_AWAY,
            eager=True,
            wake=provisioner.wake,
            at_end=lambda: provisioner.finish(settings.stop_seconds / 2),
        ),
        "blocks": Loop(
            run_once=blocks.run_once,
            pause_seconds=settings.rewrite_poll_seconds,
            waits="rewrites_postponed",
            transient=(*_AWAY, asyncpg.TransactionRollbackError),
        ),
        "remover": Loop(
            run_once=remover.run_once,
            pause_seconds=settings.removal_poll_seconds,
            waits="remover_waits",
            transient=_AWAY,
            eager=True,
            wake=remover.wake,
            at_end=remover.cut_off,
        ),
        "sweep": Loop(
            run_once=sweep.run_once,
            pause_seconds=settings.surplus_age_seconds / LOOKS_PER_AGE,
            waits="sweep_postponed",
            transient=_AWAY,
        ),
        "outcomes": outcomes,
    }


def care(old: Housekeeping, clocks: ClockWatch, measured: Gauges | None) -> Mapping[str, Part]:
    """The loops of what is looked after beside the work."""
    loops = {
        "housekeeping": Loop(
            run_once=old.run_once,
            pause_seconds=housekeeping.PAUSE_SECONDS,
            waits="housekeeping_postponed",
            transient=_AWAY,
            eager=True,
        ),
        "clock": Loop(
            run_once=clocks.run_once,
            pause_seconds=clock_watch.LOOK_SECONDS,
            waits="clocks_not_compared",
            transient=_AWAY,
            level=logging.DEBUG,
        ),
    }
    if measured is not None:
        loops["metrics"] = Loop(
            run_once=measured.run_once,
            pause_seconds=gauges.LOOK_SECONDS,
            waits="metrics: not looked",
            transient=_AWAY,
            level=logging.DEBUG,
            at_end=measured.close,
        )
    return loops
