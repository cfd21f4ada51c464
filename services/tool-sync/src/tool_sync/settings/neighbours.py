"""What is around the process: PostgreSQL, Kafka and its topics, Vapi, assistant-api, and whose installation it is."""

import re
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from tool_sync.settings.kinds import HttpsUrl, OrgIds, PostgresUrl, is_real_vapi
from zerotouch_contracts.topics import (
    ASSISTANTS,
    BLUEPRINT,
    CONTRACTS,
    DISPLAY_NAMES,
    FLEET,
    HEADS,
    OUTCOMES,
    TOOL_CALLS,
    VAPI_ACCOUNTS,
    Topic,
)
from zerotouch_platform.settings import HttpUrl, NonEmpty, VapiUrl
from zerotouch_platform.vapi.envelope import envelope_keys

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")
"""RFC 6750, section 2.1. Anything else would be another header."""
TOOL_CALL_COUNTS_KEEP_DAYS_MIN = 8
"""As many as people are shown, and today's."""
LOOPBACK_REFUSED = "must be false with the real Vapi: loopback is another machine there, and nobody's tool answers"


class NeighbourSettings(BaseSettings):
    """Who is asked, read and told, and as whom."""

    database_url: PostgresUrl = Field(repr=False)
    """PostgreSQL, as the role that works: `postgresql://user:password@host:5432/database`."""
    kafka_bootstrap_servers: NonEmpty
    """Kafka, as `host:port`, several with commas between. Names and certificates: docs/security.md."""
    vapi_plain_http_allowed: bool = False
    """Whether Vapi's key may go over http to another machine: for a sandbox in a network of its own."""
    vapi_base_url: VapiUrl
    """Vapi: `https://api.vapi.ai`, or the sandbox."""
    vapi_api_key: SecretStr = Field(min_length=1)
    """The private key of the account at Vapi."""
    vapi_account: NonEmpty = "platform"
    """What the account is called in the log and in tables; the key may change, the account may not."""
    vapi_key_envelope_keys: Annotated[SecretStr, AfterValidator(envelope_keys)] | None = None
    """Opens the sealed keys of clinics' own accounts at Vapi: `id:base64` of 32 bytes, several with commas between, the
    same as assistant-api has."""
    vapi_key_envelope_command: SecretStr | None = None
    """A command that prints them instead, run without a shell when a sealed key is to be opened."""
    tool_server_url: Annotated[HttpsUrl, Field(max_length=255)]
    """Where Vapi sends calls of assistant-api's tools: https, but for a loopback address. Part of each tool."""
    tool_server_credential_id: str | None = None
    """Vapi's credential with which it signs those calls. Part of each tool."""
    tool_url_loopback_allowed: bool = False
    """A tool of another service may be at loopback: a development machine's own, which no published tool may name."""
    installation_id: UUID
    """A UUID, one for each installation; it marks what is ours at Vapi. On another's database nothing starts."""
    own_orgs: OrgIds = ()
    """The platform's own organizations, with a space between: the first stage of orders that the console plans, or an
    INSERT or UPDATE of system_tools makes. The commands read the same variable."""
    booking_definition_version: int = Field(default=2, ge=1, le=2)
    """What a new log begins with. 2: the model waits for the answer. 1, as first specified: it does not, and never
    hears it (ADR 4)."""
    assistants_topic: NonEmpty = ASSISTANTS.name
    """The topic of saves."""
    outcomes_topic: NonEmpty = OUTCOMES.name
    """The topic of outcomes."""
    fleet_topic: NonEmpty = FLEET.name
    """The topic of changes of tools."""
    contracts_topic: NonEmpty = CONTRACTS.name
    """The topic on which assistant-api says which contracts it answers."""
    blueprint_topic: NonEmpty = BLUEPRINT.name
    """The topic of published versions of tools."""
    tool_calls_topic: NonEmpty = TOOL_CALLS.name
    """The topic of tool calls that were answered."""
    tool_call_counts_keep_days: Annotated[int, Field(ge=TOOL_CALL_COUNTS_KEEP_DAYS_MIN, le=3660)] = 92
    """So many days a clinic's calls are counted by day: a quarter. They go with the clinic, too."""
    heads_topic: NonEmpty = HEADS.name
    """The topic of signed heads of the log."""
    display_names_topic: NonEmpty = DISPLAY_NAMES.name
    """The topic of what clinics and agents are called."""
    vapi_accounts_topic: NonEmpty = VAPI_ACCOUNTS.name
    """The topic of which clinics have an account of their own at Vapi."""
    consumer_group: NonEmpty = "tool-sync"
    """The consumer group; one for an installation."""

    assistant_api_url: HttpUrl | None = None
    """Before a rollout's first clinic the version's handler is tried out at assistant-api, with a token of the role
    platform (ADR 48). Without them nothing is tried, and the rollout says so."""
    assistant_api_token: SecretStr | None = Field(default=None, validate_default=True)
    """A bearer token of the role platform."""

    def topic_of(self, topic: Topic) -> str:
        """What a topic that tool-sync publishes on is called here."""
        return {OUTCOMES.name: self.outcomes_topic, FLEET.name: self.fleet_topic}[topic.name]

    @field_validator("tool_url_loopback_allowed")
    @classmethod
    def _no_loopback_at_the_real_vapi(cls, value: bool, info: ValidationInfo) -> bool:
        if value and is_real_vapi(info.data.get("vapi_base_url", "")):
            raise ValueError(LOOPBACK_REFUSED)
        return value

    @field_validator("assistant_api_token")
    @classmethod
    def _address_and_token(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if (value is None) != (info.data.get("assistant_api_url") is None):
            raise ValueError("must be set together with ASSISTANT_API_URL, or neither of them")
        if value is not None and not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError("must be a bearer token: letters, digits and . _ ~ + / = -")
        return value
