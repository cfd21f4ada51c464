"""Builds the parts of the process and passes each what it needs; none of them is started here.

What only runs, and nobody else asks for anything, is built by :mod:`.loops`.
"""

from typing import Final
from uuid import UUID

from tool_sync import db
from tool_sync.app.clients import VapiClients, peer_of
from tool_sync.app.limits import concurrency_of, loop_limits, policy_of, survey_pace
from tool_sync.app.metrics import Meter, metrics
from tool_sync.db import Pool
from tool_sync.intake.accounts_reader import accounts_reader
from tool_sync.intake.consumer import member, new_consumer
from tool_sync.intake.display_names import names_reader
from tool_sync.intake.intake import Intake
from tool_sync.log import EventLog, LogUnavailable, UnknownEvent
from tool_sync.outcomes.heads.keys import SigningKey
from tool_sync.outcomes.heads.signer import HeadSigner
from tool_sync.outcomes.published import ALL
from tool_sync.outcomes.relay import Relay
from tool_sync.outcomes.topic_guard import TopicGuard
from tool_sync.queries.coverage import CoverageCount
from tool_sync.release import SERVICE_VERSION
from tool_sync.rollouts.call_intake import CallIntake
from tool_sync.rollouts.unanswered import UnansweredContracts
from tool_sync.settings import Settings
from tool_sync.sync.blueprint import OFFERED, Blueprint, definitions_with
from tool_sync.sync.context import Context, FleetView
from tool_sync.sync.looks import Looks
from tool_sync.sync.loop import Reconciler
from tool_sync.sync.store import PostgresStore
from tool_sync.sync.survey import Survey
from zerotouch_platform.kafka.consumer import BatchConsumer
from zerotouch_platform.meters import Meters
from zerotouch_platform.telemetry import Telemetry
from zerotouch_platform.vapi.clock_watch import ClockWatch

NO_SIGNING_KEY: Final = "LOG_SIGNING_KEY_FILE is not set"


class Dependencies:
    """What is used while a process works on ``pool``, whose log is ``log_id``. ``key`` is the platform's at Vapi."""

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        log_id: UUID,
        tracing: Telemetry,
        meters: Meters,
        coverage: CoverageCount,
        *,
        has_gauges: bool,
    ) -> None:
        self.log_id, self.meter, self.peer = log_id, Meter(meters), peer_of(settings)
        self.event_log = EventLog(pool, on_append=self._appended)
        self.guard = TopicGuard(settings, pool, log_id, on_change=lambda: self.reconciler.wake())
        clients = VapiClients(settings, pool, tracing, self.meter.called)
        self.own_accounts, self.key = clients.own, clients.platform_key()
        self.clock_watch = ClockWatch(clients.platform.clock, lambda: db.read_now(pool))
        self.context = Context(
            log=self.event_log,
            store=PostgresStore(pool),
            vapi=clients.platform,
            blueprint=_blueprint(settings),
            fleet=FleetView(),
            policy=policy_of(settings),
            limits=loop_limits(settings),
            telemetry=tracing,
            service_version=SERVICE_VERSION,
            concurrency=concurrency_of(settings),
            key=self.key,
            accounts=self.own_accounts,
            writes_suspended=lambda: self.guard.writes_suspended,
            on_settled=lambda org_id: self.survey.settled(org_id),
            measured=self.meter.settled,
        )
        look = self.guard.why_not_publish
        self.relays = tuple(Relay(settings, pool, log_id, tracing, look, published) for published in ALL)
        self.reconciler = Reconciler(self.context)
        self.consumer = new_consumer(settings, Intake(settings, self.event_log, pool, tracing), pool)
        self.calls = _calls(settings, self.context, pool)
        self.names, self.accounts = names_reader(settings, pool), accounts_reader(settings, pool)
        self.survey = Survey(self.context, Looks(pool), survey_pace(settings))
        self.unanswered = UnansweredContracts(pool, self.event_log)
        self.heads = _heads(settings, pool, log_id)
        self.gauges = metrics(pool, meters, self.clock_watch, coverage) if has_gauges else None

    def wake_relays(self) -> None:
        """Something was stored that may have to be published at once."""
        for published, relay in zip(ALL, self.relays, strict=True):
            if published.is_urgent:
                relay.wake()

    def _appended(self, head: int) -> None:
        self.guard.appended(head)
        self.wake_relays()
        self.reconciler.wake()

    @property
    def signing_problem(self) -> str | None:
        """Why no head is signed; None where heads are, or another process leads."""
        return NO_SIGNING_KEY if self.heads is None else self.heads.problem


def _blueprint(settings: Settings) -> Blueprint:
    return Blueprint(
        definitions_with(settings.booking_definition_version),
        settings.tool_server_url,
        settings.installation_id,
        settings.tool_server_credential_id,
        OFFERED,
    )


def _calls(settings: Settings, context: Context, pool: Pool) -> BatchConsumer:
    """A member of the group that reads calls of tools: its own, so that neither topic's trouble moves the other's.

    Its name is not that of releases that did not count calls: they may run beside this one, and the topic is read from
    its beginning.
    """
    return member(
        settings,
        pool,
        settings.tool_calls_topic,
        CallIntake(context, pool).handle,
        (LogUnavailable, UnknownEvent),
        group_id=f"{settings.consumer_group}-tool-calls",
        client_id="tool-sync-calls",
    )


def _heads(settings: Settings, pool: Pool, log_id: UUID) -> HeadSigner | None:
    pem = settings.signing_key_pem()
    return None if pem is None else HeadSigner(settings, pool, log_id, SigningKey(pem))
