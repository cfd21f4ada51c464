"""The settings as the values that parts take: how patient, how many, how often."""

import time
from dataclasses import fields
from datetime import timedelta

from tool_sync.domain.plan.situation import Policy
from tool_sync.settings import Settings
from tool_sync.sync.concurrency import ConcurrencyLimiter
from tool_sync.sync.context import Limits
from tool_sync.sync.survey import SurveyPace
from tool_sync.vapi.rate_limit import KeyLimits
from tool_sync.vapi.rate_limit.tokens import Rate, share_of_rate


def loop_limits(settings: Settings) -> Limits:
    """Each has the name of a setting, or stays as it is."""
    return Limits(**settings.model_dump(include={field.name for field in fields(Limits)}))


def policy_of(settings: Settings) -> Policy:
    """How long what is waited for, and tried again."""
    return Policy(
        settle=timedelta(seconds=settings.settle_seconds),
        give_up=timedelta(seconds=settings.give_up_seconds),
        look_again=timedelta(seconds=settings.look_again_seconds),
        diverged_look=timedelta(seconds=settings.diverged_look_seconds),
        diverged_give_up=timedelta(seconds=settings.diverged_give_up_seconds),
        retry_seconds_base=settings.retry_seconds_base,
        retry_seconds_max=settings.retry_seconds_max,
        tool_grace=timedelta(seconds=settings.tool_grace_seconds),
        surplus_age=timedelta(seconds=settings.surplus_age_seconds),
        sweep_every=timedelta(seconds=settings.sweep_every_seconds),
    )


def concurrency_of(settings: Settings) -> ConcurrencyLimiter:
    """How many organizations at once."""
    # Well within the window: by then the loop is behind.
    slow_seconds = settings.send_window_seconds * 0.4
    return ConcurrencyLimiter(settings.orgs_in_flight_max, slow_seconds=slow_seconds, monotonic=time.monotonic)


def survey_pace(settings: Settings) -> SurveyPace:
    """How much is looked at off the path of saves."""
    return SurveyPace(
        looks_per_second=settings.survey_looks_per_second,
        poll_seconds=settings.survey_poll_seconds,
        settled_seconds=settings.survey_settled_seconds,
    )


def key_limits(settings: Settings, requests_per_minute: int | None) -> KeyLimits:
    """Of one key at Vapi that allows so many requests; None: any number."""
    # A call may be sent until the window closes after its admission, and ends by its deadline.
    sent_seconds = settings.send_window_seconds
    return KeyLimits(
        rate=_rate(settings, requests_per_minute, sent_seconds),
        probe_seconds=sent_seconds + settings.call_deadline_seconds + 1,
        refused_seconds=settings.key_refused_seconds,
        breaker_failures=settings.breaker_failures,
        breaker_seconds_base=settings.breaker_seconds_base,
        breaker_seconds_max=settings.breaker_seconds_max,
        read_seconds=settings.key_read_seconds,
    )


def _rate(settings: Settings, requests_per_minute: int | None, sent_seconds: float) -> Rate | None:
    if requests_per_minute is None:
        return None
    return Rate(
        per_minute=share_of_rate(requests_per_minute, settings.vapi_rate_share),
        batch=settings.vapi_rate_batch,
        saves_share=settings.vapi_rate_saves_share,
        late_seconds=sent_seconds + settings.vapi_rate_guard_seconds,
        early_seconds=settings.vapi_rate_guard_seconds,
    )
