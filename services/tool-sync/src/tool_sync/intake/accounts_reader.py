"""Which clinics have an account of their own at Vapi: `vapi-accounts.v1` in the table ``vapi_accounts`` (ADR 76).

A clinic loses its account by a record that says so, and never by having none on the topic: one that was lost with its
topic would else be worked for with the platform's key. The keys stay sealed here; `vapi/accounts` opens them.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from tool_sync import db
from tool_sync.intake.table_reader import SESSION_SECONDS, Followed, TableReader
from tool_sync.settings import Settings
from zerotouch_contracts.accounts import AccountSaid, read_account
from zerotouch_platform.postgres.leader import Candidate

ACCOUNTS_LOCK: Final = 7317
AccountsReader = TableReader[AccountSaid, UUID]

# Only what changes gets a new number, which is what every process looks for. A record without a value has no revision:
# the clinic's stays, so that an older record that comes late is not taken for a newer one.
_KEEP: Final = """
WITH said AS (
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::bigint[], $8::uuid[])
    AS s (org_id, account, sealed_key, key_fingerprint, credential_id, per_minute, revision, log_id)
), kept AS (
  INSERT INTO vapi_accounts AS a (org_id, account, sealed_key, key_fingerprint, tool_server_credential_id,
                                  requests_per_minute, revision, log_id)
  SELECT * FROM said ORDER BY org_id
  ON CONFLICT (org_id) DO UPDATE
    SET account = excluded.account, sealed_key = excluded.sealed_key, key_fingerprint = excluded.key_fingerprint,
        tool_server_credential_id = excluded.tool_server_credential_id,
        requests_per_minute = excluded.requests_per_minute,
        revision = coalesce(excluded.revision, a.revision), log_id = excluded.log_id,
        change = nextval('vapi_accounts_changes')
    WHERE (a.account, a.sealed_key, a.key_fingerprint, a.tool_server_credential_id, a.requests_per_minute)
          IS DISTINCT FROM (excluded.account, excluded.sealed_key, excluded.key_fingerprint,
                            excluded.tool_server_credential_id, excluded.requests_per_minute)
      AND (excluded.account IS NULL OR a.log_id <> excluded.log_id OR a.revision IS NULL
           OR a.revision <= excluded.revision)
  RETURNING 1
)
SELECT count(*) FROM kept
"""


def accounts_reader(settings: Settings, pool: db.Pool, *, session_seconds: float = SESSION_SECONDS) -> AccountsReader:
    """Processes read the table within a second (`vapi/accounts/own`)."""
    followed: Followed[AccountSaid, UUID] = Followed(
        topic=settings.vapi_accounts_topic,
        lock=ACCOUNTS_LOCK,
        name="tool-sync accounts",
        read=read_account,
        about=lambda said: None if said.message is None else said.org_id,
        keep=keep,
        forgetting=None,
    )
    return TableReader(settings, pool, followed, session_seconds=session_seconds)


async def keep(leader: Candidate, said: Sequence[AccountSaid]) -> int:
    """Take in what is newer than what is kept; how many rows were written. ``said`` names no clinic twice."""
    messages = [one.message for one in said]
    written = await leader.fetchval(
        _KEEP,
        [one.org_id for one in said],
        [None if m is None else m.account for m in messages],
        [None if m is None else m.sealed_key for m in messages],
        [None if m is None else m.key_fingerprint for m in messages],
        [None if m is None else m.tool_server_credential_id for m in messages],
        [None if m is None else m.requests_per_minute for m in messages],
        [None if m is None else m.revision for m in messages],
        [one.log_id for one in said],
    )
    assert isinstance(written, int)
    return written
