"""The loops that write to Vapi: their pace, their places, and what a key allows."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from assistant_api.settings.types import Count, Part, Seconds


class WorkSettings(Part):
    """Agents, removals and prompts on their way to Vapi."""

    look_seconds: Seconds = 0.25
    """Between looks for what another process put in: agents, removals and messages of the outbox, in one statement."""
    poll_seconds_max: Seconds = 5
    """Until a loop looks by itself that nobody woke."""
    provision_concurrency_max: Count = 200
    """Assistants that a process writes at once."""
    provision_reserved_for_saves: Annotated[int, Field(ge=0)] = 50
    """Of those, so many are for saves alone."""
    provision_bulk_of_one_max: Count = 8
    """Of one clinic's auto-sync at once: 40 a second of a Vapi that answers in 0.2 s, more than most keys allow."""
    rewrite_delay_seconds: Seconds = 60
    """After a clinic's calendar changed, or a tool went, until prompts are written anew: changes come in series."""
    rewrite_poll_seconds: Seconds = 5
    """Between two looks for prompts that are to be written anew."""
    rewrites_open_max: Count = 50
    """Bulk work under way while more of it is asked for, by all replicas together."""
    lease_seconds: Seconds = 30
    """So long an agent belongs to the process that writes it."""
    send_window_seconds: Seconds = 1
    """A write is sent within so long after it was announced, or not at all."""
    vapi_deadline_seconds: Seconds = 10
    """From asking to the last byte of the answer; the tries of a read share one."""
    read_tries_max: Count = 3
    """Tries of one read."""
    read_retry_seconds: Seconds = 0.2
    """Before the second try of a read; then twice that, and so on."""
    settle_seconds: Seconds = 20
    """So long after it was asked a write of which nothing is known is done or not done: then Vapi is asked."""
    lost_create_window_minutes: Count = 10
    """How far around its attempt a lost creation is looked for in Vapi's list."""
    tool_grace_seconds: Seconds = 86400
    """tool-sync's: how long a tool that nobody wants is kept. For a quarter of it a new assistant gets known tools."""
    surplus_age_seconds: Seconds = 3600
    """When what a creation without an answer made after all is looked for, and deleted where it is not the agent's."""
    vapi_requests_per_minute: Count | None = None
    """What Vapi allows the whole credential; without it Vapi's own 429 is the limit."""
    vapi_rate_share: Annotated[float, Field(gt=0, le=1)] = 0.4
    """This service's part of it; tool-sync has the rest."""
    vapi_rate_saves_share: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """What bulk work leaves of it to saves."""
    vapi_rate_kept_share: Annotated[float, Field(ge=0.1, le=1)] = 0.1
    """Of what Vapi allows: so much of its part this service keeps, when tool-sync asks for the rest of a minute."""
    vapi_rate_batch: Count = 20
    """Requests drawn at once by a replica: fewer statements, and fewer for the others."""
    vapi_key_by_clinic: bool = False
    """Whether a clinic's own token, with the scope `settings:write`, may give it an account of its own at Vapi."""
    vapi_accounts_open_max: Count = 200
    """Own accounts of clinics with which a process keeps connections; of more, those that were used last."""
    vapi_account_connections_max: Count = 20
    """Connections of a process to Vapi for one own account."""
    vapi_account_places_max: Count = 40
    """Assistants that a process writes at once in one own account: one that does not answer holds up nobody else."""
    vapi_rate_guard_seconds: Annotated[float, Field(gt=0, lt=10)] = 0.5
    """How far Vapi's clock may be from the database's."""
    key_refused_seconds: Seconds = 60
    """A refused key needs a person; once a minute is soon enough to notice that somebody came."""
    breaker_failures: Count = 20
    """So many calls in a row without an answer: then Vapi is away, and not one assistant at fault."""
    breaker_seconds_base: Seconds = 1
    """So long nothing is asked after the breaker opened for the first time; then twice that, and so on."""
    breaker_seconds_max: Seconds = 60
    """The longest that the breaker stays open."""
    removal_concurrency_max: Count = 10
    """Removals that a process carries out at once."""
    removal_lease_seconds: Seconds = 60
    """So long a removal belongs to the process that carries it out."""
    retry_seconds_min: Seconds = 1
    """Before a write is tried again; then twice that, and so on."""
    retry_seconds_max: Seconds = 300
    """The longest wait before a retry."""
    heals_per_hour_max: Count = 3
    """So often in an hour an assistant that somebody changed at Vapi is written again."""

    @model_validator(mode="after")
    def _timings_fit(self) -> Self:
        if self.settle_seconds <= self.vapi_deadline_seconds + self.send_window_seconds:
            raise ValueError("SETTLE_SECONDS must be above VAPI_DEADLINE_SECONDS + SEND_WINDOW_SECONDS")
        if self.surplus_age_seconds <= self.settle_seconds:
            raise ValueError("SURPLUS_AGE_SECONDS must be above SETTLE_SECONDS")
        if self.lease_seconds <= 2 * self.vapi_deadline_seconds + self.send_window_seconds:
            raise ValueError("LEASE_SECONDS must be above 2 * VAPI_DEADLINE_SECONDS + SEND_WINDOW_SECONDS")
        if self.provision_reserved_for_saves >= self.provision_concurrency_max:
            raise ValueError("PROVISION_RESERVED_FOR_SAVES must be below PROVISION_CONCURRENCY_MAX")
        return self
