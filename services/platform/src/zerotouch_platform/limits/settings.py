"""The figures. Each is of one process: with four workers or replicas a clinic may have up to four times as much.

That is no mistake: a limit keeps a process alive for its other callers, and a process does not grow with their number.
The defaults are what a real clinic never meets: its people click, and its scripts wait for Vapi.
"""

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Annotated, Final

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings

from zerotouch_platform.limits.identity import Network
from zerotouch_platform.limits.policy import Of, Quota, Rate
from zerotouch_platform.settings import CONFIG

PerSecond = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


_NO_SHARE: Final = 1000.0
"""Of a process's time: more than it has. For the platform, and for strangers, who are refused at once."""


def networks_of(text: str) -> Sequence[Network]:
    """Networks with spaces or commas between them; raises ``ValueError``."""
    return tuple(ip_network(part) for part in text.replace(",", " ").split())


def _networks(text: str) -> str:
    try:
        networks_of(text)
    except ValueError as error:
        raise ValueError(f"must be networks like 10.0.0.0/8, with spaces between them: {error}") from None
    return text


class LimitSettings(BaseSettings):
    """What both services' settings have of limits."""

    model_config = CONFIG

    limit_burst_seconds: PerSecond = 10
    """How many seconds' worth of a rate may come at once: a page that opens, or a script that begins, is a burst."""
    limit_token_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Of its clinic's limits one holder of tokens has this part: a lost laptop leaves the clinic the rest."""
    limit_org_requests_per_second: PerSecond = 100
    """Of one clinic: so many saves a second are more than Vapi takes in a minute from most keys."""
    limit_org_requests_in_flight: Count = 200
    """Of one clinic at a time: a save waits for Vapi for seconds; others keep most of HTTP_REQUESTS_MAX."""
    limit_org_streams: Count = 40
    """Of one clinic at a time, streams and long polls: its servers have one each; 300 are all that a process serves."""
    limit_org_bytes_per_second: PerSecond = 4 * 1024 * 1024
    """Of one clinic's bodies: a thousand long prompts in ten seconds, and no more memory and parsing than that."""
    limit_org_work_share: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Of a process's time one clinic's requests may have this part: some 40 saves a second. Others have the rest."""
    limit_platform_requests_per_second: PerSecond = 2000
    """Of one holder of platform tokens: more than a process can answer, so that only what runs amok meets it."""
    limit_platform_requests_in_flight: Count = 1200
    """Of one holder of platform tokens at a time; clinics keep the rest of HTTP_REQUESTS_MAX."""
    limit_platform_streams: Count = 200
    """Of one holder of platform tokens at a time; clinics keep the rest of the 300 that a process serves."""
    limit_platform_bytes_per_second: PerSecond = 64 * 1024 * 1024
    """Of one holder of platform tokens: whole fleets are written by it."""
    limit_address_requests_per_second: PerSecond = 20
    """Of one address, without a valid token: each is a signature to verify. Who shows a valid one does not count."""
    limit_address_requests_in_flight: Count = 50
    """Of one address at a time, without a valid token: they are refused at once, so that few are ever under way."""
    limit_address_bytes_per_second: PerSecond = 1024 * 1024
    """Of one address, without a valid token: no route reads such a body, but it has to be received."""
    limit_streams_in_all: Annotated[int, Field(ge=1, le=300)] = 300
    """Of a process at a time. A clinic may hold no more of them than are free: several greedy ones leave some, too."""
    limit_keys_max: Count = 10_000
    """Clinics, holders and addresses that are remembered, of each so many: some 10 MB at most, whoever comes."""
    trusted_proxies: Annotated[str, AfterValidator(_networks)] = ""
    """Networks whose `X-Forwarded-For` is believed. Without them all that comes through a proxy is one address."""


def quotas_of(settings: LimitSettings) -> dict[Of, Quota]:
    """The limits of everybody."""
    org = _quota(
        settings,
        settings.limit_org_requests_per_second,
        settings.limit_org_bytes_per_second,
        settings.limit_org_requests_in_flight,
        settings.limit_org_streams,
        settings.limit_org_work_share,
    )
    return {
        Of.ORG: org,
        Of.TOKEN: org.share(settings.limit_token_share),
        Of.PLATFORM: _quota(
            settings,
            settings.limit_platform_requests_per_second,
            settings.limit_platform_bytes_per_second,
            settings.limit_platform_requests_in_flight,
            settings.limit_platform_streams,
        ),
        Of.ADDRESS: _quota(
            settings,
            settings.limit_address_requests_per_second,
            settings.limit_address_bytes_per_second,
            settings.limit_address_requests_in_flight,
            settings.limit_address_requests_in_flight,  # they are refused for want of a token, and hold nothing
        ),
    }


def _quota(
    settings: LimitSettings,
    requests: float,
    body_bytes: float,
    in_flight: int,
    streams: int,
    work_share: float = _NO_SHARE,
) -> Quota:
    burst = settings.limit_burst_seconds
    return Quota(
        Rate(requests, max(1.0, requests * burst)),
        Rate(body_bytes, max(1.0, body_bytes * burst)),
        Rate(work_share, work_share * burst),
        in_flight,
        streams,
    )
