"""The composition: every part of one process, made from its settings. Nothing runs yet."""

from typing import Final

from opentelemetry.sdk.trace.export import SpanExporter

from assistant_api import telemetry
from assistant_api.access_log.counting import AccessCounter
from assistant_api.app.announcer import Announcer
from assistant_api.app.housekeeping import Housekeeping
from assistant_api.app.metrics import Meter, metrics
from assistant_api.db import Database
from assistant_api.erasures.calls import CallDeletions
from assistant_api.erasures.guard import ErasureGuard
from assistant_api.http.dependencies import Dependencies
from assistant_api.http.routes import tool_calls
from assistant_api.outcomes.handler import OutcomesHandler, new_consumer
from assistant_api.provisioner.blocks import BlockRewrites
from assistant_api.provisioner.loop import Provisioner
from assistant_api.provisioner.step import Steps
from assistant_api.published.marking import Marking
from assistant_api.published.reader import BlueprintReader
from assistant_api.published.view import PublishedView
from assistant_api.relay.loop import Relay
from assistant_api.relay.names import NameCheck
from assistant_api.removals.loop import Remover
from assistant_api.removals.step import RemovalSteps
from assistant_api.removals.sweep import Sweep
from assistant_api.restore.guard import TopicGuard
from assistant_api.settings import Settings
from assistant_api.tool_calls.credentials import WebhookCredentials
from assistant_api.tool_calls.handle import ToolCallHandler
from assistant_api.vapi.accounts import Accounts
from assistant_api.vapi.claims import Claims
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.gauges import Gauges
from zerotouch_platform.health import READY_CACHED_SECONDS, Health
from zerotouch_platform.limits.middleware import HEALTH, Limits
from zerotouch_platform.limits.refusals import Refusals, export
from zerotouch_platform.loops import Wake
from zerotouch_platform.meters import Meters
from zerotouch_platform.revoked_tokens import RevokedTokens
from zerotouch_platform.token_keys import TokenKeys
from zerotouch_platform.vapi.clock_watch import ClockWatch
from zerotouch_platform.worker import Worker

UNLIMITED: Final = HEALTH | {tool_calls.PATH}
"""Vapi's tool calls are of patients on the phone, of all clinics, with one credential: none is refused (ADR 55)."""


CHECK_SECONDS_MAX: Final = 2.5
"""More than the database's own check takes, which says why it does not answer."""


def new_health() -> Health:
    """The health of a process that has just started."""
    return Health(
        check_seconds_max=CHECK_SECONDS_MAX,
        cached_seconds=READY_CACHED_SECONDS,
        starting=None,
        told={"database": "not connected yet", "relay": "not started yet", "restore": None, "erasures": None},
    )


class Composition:
    """All parts of one process. ``exporter`` is the seam for tests and benchmarks.

    ``worker``: what it is, where several processes serve the port.
    """

    def __init__(
        self, settings: Settings, *, exporter: SpanExporter | None = None, worker: Worker | None = None
    ) -> None:
        self.settings = settings
        self.health = new_health()
        self.token_keys = TokenKeys(settings)
        self.revoked_tokens = RevokedTokens()
        self.telemetry = telemetry.set_up(settings.otel_exporter_otlp_endpoint, exporter=exporter, worker=worker)
        self.database = Database(settings, self.health)
        endpoint = settings.otel_exporter_otlp_endpoint
        self.meters = Meters(telemetry.resource_of(worker), None if endpoint is None else str(endpoint))
        self.meter = Meter(self.meters)
        self.accounts = Accounts(settings, self.database, self.telemetry, self.meter.called)
        self.vapi = self.accounts.platform.vapi
        self.clock_watch = ClockWatch(self.vapi.clock, self.database.now)
        self.metrics: Gauges | None = None
        if worker is None or worker.owns_gauges:
            self.metrics = metrics(self.database, self.meters, self.clock_watch)
        self.access_counter = AccessCounter(self.meters, settings.access_refused_rows_per_minute)
        self.refusals = Refusals()
        export(self.meters, self.refusals)
        self.wake_relay = Wake()
        self.relay: Relay | None = None
        """Made once the database has said which log it sends."""
        self.guard = TopicGuard(settings, self.database, self.health)
        self.published = PublishedView(self.database)
        self._write_to_vapi()
        self._follow()

    def _write_to_vapi(self) -> None:
        """What makes, changes and deletes at Vapi, unless the guard suspends it."""
        settings, database, claims = self.settings, self.database, Claims(self.accounts, self.settings)

        def suspended() -> bool:
            return self.guard.writes_suspended

        steps = Steps(
            database,
            self.accounts,
            settings,
            self.telemetry,
            self.published,
            behind_seconds=lambda: self.outcomes.behind_seconds(),
        )
        self.provisioner = Provisioner(steps, claims, on_stored=self.wake_relay, writes_suspended=suspended)
        wake = self.provisioner.wake
        removals = RemovalSteps(database, self.accounts, settings, self.telemetry, on_released=wake)
        self.remover = Remover(removals, claims, writes_suspended=suspended)
        self.call_deletions = CallDeletions(database, self.accounts, settings, claims, writes_suspended=suspended)
        self.sweep = Sweep(self.accounts, database, settings, self.remover.wake)
        self.blocks = BlockRewrites(
            database, settings, self.telemetry, self.published, provisioner=wake, writes_suspended=suspended
        )

    def _follow(self) -> None:
        """What reads topics, compares them with the rows, and keeps the rows."""
        settings, database = self.settings, self.database
        self.blueprint_reader = BlueprintReader(settings, database, self.published)
        outcomes = OutcomesHandler(settings, database, self.telemetry, self.provisioner.wake)
        self.outcomes = new_consumer(settings, database, outcomes)
        self.erasure_guard = ErasureGuard(settings, database, self.health, self.call_deletions.wake)
        self.names = NameCheck(settings, database, self.guard, self.wake_relay)
        self.announcer = Announcer(settings, database)
        self.marking = Marking(database)
        self.housekeeping = Housekeeping(settings, database)

    def relay_leads(self) -> bool:
        """Whether it is this process that sends the outbox."""
        return self.relay is not None and self.relay.leads

    def dependencies(self) -> Dependencies:
        """What routes use."""
        verifier = TokenVerifier(self.settings, self.token_keys, self.revoked_tokens)
        return Dependencies(
            settings=self.settings,
            telemetry=self.telemetry,
            health=self.health,
            database=self.database,
            verifier=verifier,
            webhook_credentials=WebhookCredentials(self.settings),
            tool_calls=ToolCallHandler(
                self.settings,
                self.telemetry,
                self.database,
                self.wake_relay,
                self.published,
                self.access_counter.count,
                self.meter.tool_called,
            ),
            accounts=self.accounts,
            clock_watch=self.clock_watch,
            provisioner=self.provisioner,
            remover=self.remover,
            erasure_guard=self.erasure_guard,
            call_deletions=self.call_deletions,
            wake_relay=self.wake_relay,
            access_counter=self.access_counter,
            limits=Limits(
                self.settings,
                verifier,
                self.refusals,
                requests_max=self.settings.http_requests_max,
                unlimited=UNLIMITED,
            ),
        )
