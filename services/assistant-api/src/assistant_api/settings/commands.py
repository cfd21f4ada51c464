"""What the commands are told; the service is told most of it, too."""

from pathlib import Path
from typing import Self
from uuid import UUID

from pydantic import model_validator

from assistant_api.settings.types import ApiKey, Count, EnvelopeKeys, Part, PostgresUrl, Seconds, SecretKeys
from zerotouch_contracts.text import Identifier
from zerotouch_contracts.topics import ERASURES
from zerotouch_platform.settings import NonEmpty, VapiUrl


class MigrateSettings(Part):
    """What `assistant-api migrate` needs: the address of the database for the role that owns it."""

    migrate_database_url: PostgresUrl
    """PostgreSQL, as the role that owns the database."""


class DatabaseSettings(Part):
    """The database, for whoever works in it."""

    database_url: PostgresUrl
    """PostgreSQL, as the role that works: `postgresql://user:password@host:5432/database`."""


class EnvelopeSettings(Part):
    """Where the envelope keys come from that open the keys of clinics' own Vapi accounts (ADR 76)."""

    vapi_key_envelope_keys: EnvelopeKeys | None = None
    """What seals the Vapi keys of clinics with an account of their own: `id:base64` of 32 random bytes each, with
    commas between. The first seals, all open; both services have the same. Without any, no clinic can have an
    account."""
    vapi_key_envelope_command: ApiKey | None = None
    """A command that prints the same instead, as a key manager has one. It gets no shell, and is asked when needed."""

    @model_validator(mode="after")
    def _one_envelope(self) -> Self:
        if self.vapi_key_envelope_keys is not None and self.vapi_key_envelope_command is not None:
            raise ValueError("one of VAPI_KEY_ENVELOPE_KEYS and VAPI_KEY_ENVELOPE_COMMAND, not both")
        return self


class VapiSettings(Part):
    """Where Vapi is, and for which installation it is asked."""

    installation_id: UUID
    """A UUID, one for each installation; it marks what is ours at Vapi. On another's database nothing starts."""
    vapi_plain_http_allowed: bool = False
    """Whether Vapi's key may go over http to another machine: for a sandbox in a network of its own."""
    vapi_base_url: VapiUrl
    """Vapi: `https://api.vapi.ai`, or the sandbox."""


class VapiKeySettings(DatabaseSettings, EnvelopeSettings):
    """What `assistant-api vapi-keys` needs."""


class ErasureSettings(DatabaseSettings):
    """What erasing needs, in the service and in the commands `erase` and `export-phone`."""

    vapi_api_key: ApiKey
    """The private key of the account at Vapi."""
    erasure_keys: SecretKeys | None = None
    """Keys of the hashes on `erasures.v1`, the newest first; older ones are needed as long as their records. Without
    any, Vapi's key is the one: then set it here, behind a new one, before Vapi's key is changed."""
    erase_vapi_calls: bool = False
    """Whether an erasure deletes the patient's phone calls at Vapi, with transcripts and recordings, for good. Whoever
    has to keep recordings leaves it off; the receipt then names the calls."""
    tool_calls_keep_days: Count = 30
    """So long a tool call's answer is kept for its repeats."""
    kafka_bootstrap_servers: NonEmpty
    """Kafka, as `host:port`, several with commas between. Names and certificates: docs/security.md."""
    erasures_topic: str = ERASURES.name
    """The topic of who was erased."""
    log_file: Path | None = None
    """Where log lines go beside standard output."""


class RestoreSettings(VapiSettings, MigrateSettings, EnvelopeSettings):
    """What `assistant-api restore` needs: the database's owner, and Vapi."""

    vapi_api_key: ApiKey
    """The private key of the account at Vapi."""
    vapi_account: Identifier = "platform"
    """What the account is called in the log and in tables; the key may change, the account may not."""
    settle_seconds: Seconds = 20
    """So long after it was asked a write of which nothing is known is done or not done: then Vapi is asked."""
