"""The loops of a process, each with its pause, the word for its log, and what it waits out."""

import logging
from collections.abc import Mapping
from functools import partial
from typing import Final

from assistant_api.app.composition import Composition
from assistant_api.app.housekeeping import PAUSE_SECONDS as HOUSEKEEPING_SECONDS
from assistant_api.app.lookout import Lookout, Wakes
from assistant_api.db import DATABASE_AWAY
from assistant_api.erasures import guard as erasures
from assistant_api.relay.names import LOOK_SECONDS as NAMES_SECONDS
from assistant_api.relay.names import OutboxNotSent
from assistant_api.removals.sweep import LOOKS_PER_AGE
from assistant_api.restore import guard as restore
from assistant_api.restore.guard import TopicAhead
from zerotouch_platform.loops import Loop
from zerotouch_platform.supervisor import Part

_loop: Final = partial(Loop, transient=DATABASE_AWAY)


def loops_of(service: Composition) -> Mapping[str, Part]:
    """All but the relay, which is made once the database has said which log it sends."""
    return {
        "outcomes": service.outcomes,
        "announcer": service.announcer,
        "blueprint": service.blueprint_reader,
        **_of_topics(service),
        **_of_vapi(service),
        **_of_rows(service),
        **_of_process(service),
    }


def _of_topics(service: Composition) -> Mapping[str, Loop]:
    """Which compare a topic with the rows: they wait for Kafka, too."""
    guard, erased, names = service.guard, service.erasure_guard, service.names
    ahead = (TopicAhead, *restore.AWAY)
    return {
        "guard": Loop(
            guard.run_once, service.settings.reconnect_seconds_max, "topic_not_known", ahead, level=logging.DEBUG
        ),
        "erasures": Loop(erased.run_once, erased.pause_seconds, "erasures_not_read", erasures.AWAY),
        "names": Loop(
            names.run_once, NAMES_SECONDS, "names_not_compared", (*ahead, OutboxNotSent), level=logging.DEBUG
        ),
    }


def _of_vapi(service: Composition) -> Mapping[str, Loop]:
    """Which write to Vapi."""
    settings, provisioner, remover = service.settings, service.provisioner, service.remover
    deletions, poll_seconds = service.call_deletions, settings.poll_seconds_max
    return {
        "provisioner": _loop(
            provisioner.run_once,
            poll_seconds,
            "provisioner_waits",
            eager=True,
            wake=provisioner.wake,
            at_end=lambda: provisioner.finish(settings.stop_seconds / 2),
        ),
        "remover": _loop(
            remover.run_once, poll_seconds, "remover_waits", eager=True, wake=remover.wake, at_end=remover.cut_off
        ),
        "erased calls": _loop(deletions.run_once, poll_seconds, "erased_calls_wait", eager=True, wake=deletions.wake),
        "sweep": _loop(service.sweep.run_once, settings.surplus_age_seconds / LOOKS_PER_AGE, "sweep_postponed"),
    }


def _of_rows(service: Composition) -> Mapping[str, Loop]:
    """Which look into the database for what is due."""
    settings, rewrite_seconds = service.settings, service.settings.rewrite_poll_seconds
    wakes = Wakes(service.provisioner.wake, service.remover.wake, service.wake_relay, service.relay_leads)
    lookout = Lookout(service.database, wakes, settle_seconds=settings.settle_seconds)
    housekeeping = service.housekeeping
    return {
        "lookout": _loop(lookout.run_once, settings.look_seconds, "lookout_waits", level=logging.DEBUG),
        "blocks": _loop(service.blocks.run_once, rewrite_seconds, "rewrites_postponed"),
        "marking": _loop(service.marking.run_once, rewrite_seconds, "marking_postponed", eager=True),
        "housekeeping": _loop(housekeeping.run_once, HOUSEKEEPING_SECONDS, "housekeeping_postponed", eager=True),
    }


def _of_process(service: Composition) -> Mapping[str, Loop]:
    """Which keep what this process knows: of clocks and tokens, and its figures where they are exported."""
    loops = {
        "clock": service.clock_watch.loop(DATABASE_AWAY),
        "revoked tokens": service.revoked_tokens.loop(service.database.connection, DATABASE_AWAY),
    }
    if (keys := service.token_keys.loop()) is not None:
        loops["token keys"] = keys
    if service.metrics is not None and service.settings.otel_exporter_otlp_endpoint is not None:
        loops["metrics"] = service.metrics.loop()
    return loops
