"""Who is asked over a network: Vapi, in the platform's account and in clinics' own, and assistant-api."""

import time
from collections.abc import Callable

from tool_sync.app.limits import key_limits
from tool_sync.db import Pool
from tool_sync.rollouts.canaries import CANARIES_MAX
from tool_sync.settings import Settings
from tool_sync.vapi.accounts import Account, FollowedAccounts, OwnKey
from tool_sync.vapi.client import VapiClient
from tool_sync.vapi.rate_limit import KeyTable, SharedKey, fingerprint_of
from zerotouch_platform.peer import Peer
from zerotouch_platform.telemetry import Telemetry
from zerotouch_platform.vapi.clock import VapiClock
from zerotouch_platform.vapi.envelope import Envelope
from zerotouch_platform.vapi.exchange import Measured
from zerotouch_platform.vapi.transport import PooledTransport

OWN_CONNECTIONS_MAX = 32
"""To Vapi for one account that is a clinic's own: a hanging one takes none of the others'."""


class VapiClients:
    """Makes the clients of all accounts, which have one clock of Vapi's."""

    def __init__(self, settings: Settings, pool: Pool, tracing: Telemetry, measured: Measured) -> None:
        self._settings, self._pool, self._tracing, self._measured = settings, pool, tracing, measured
        self._clock = VapiClock()
        self.platform = self._client(
            settings.vapi_api_key.get_secret_value, settings.vapi_account, settings.vapi_connections_max
        )
        self.own = FollowedAccounts(pool, Envelope(settings), self._account)

    def platform_key(self) -> SharedKey:
        """The platform's, with its pauses and its rate."""
        table = KeyTable(self._pool, fingerprint_of(self._settings.vapi_api_key.get_secret_value()))
        return self._shared(table, self._settings.vapi_requests_per_minute)

    def _account(self, own: OwnKey, api_key: str) -> Account:
        """A clinic's own: with a key, pauses, a rate and connections of its own."""
        connections_max = min(self._settings.vapi_connections_max, OWN_CONNECTIONS_MAX)
        client = self._client(lambda: api_key, own.account, connections_max)
        table = KeyTable(self._pool, own.fingerprint, own.account)
        return Account(client, self._shared(table, own.requests_per_minute), own.credential)

    def _client(self, key: Callable[[], str], account: str, connections_max: int) -> VapiClient:
        return VapiClient(
            self._settings.vapi_base_url,
            key,
            account=account,
            deadline_seconds=self._settings.call_deadline_seconds,
            transport=PooledTransport(connections_max),
            telemetry=self._tracing,
            clock=self._clock,
            measured=self._measured,
        )

    def _shared(self, table: KeyTable, requests_per_minute: int | None) -> SharedKey:
        return SharedKey(table, key_limits(self._settings, requests_per_minute), monotonic=time.monotonic)


def peer_of(settings: Settings) -> Peer | None:
    """assistant-api, where a token for it is set."""
    if settings.assistant_api_url is None or settings.assistant_api_token is None:
        return None
    token = settings.assistant_api_token.get_secret_value()
    return Peer("assistant-api", settings.assistant_api_url, token, PooledTransport(CANARIES_MAX + 1))
