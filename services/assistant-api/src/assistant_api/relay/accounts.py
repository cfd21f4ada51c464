"""Is `vapi-accounts.v1` as the rows are? Compared when names are (`names.py`); what differs goes through the outbox."""

from typing import Any, Final
from uuid import UUID

import structlog

from assistant_api.db import Database
from assistant_api.settings import Settings
from zerotouch_contracts.accounts import VapiAccount, clinic_of, read_account
from zerotouch_contracts.envelope import UndecodableRecord
from zerotouch_platform.kafka.compacted import compacted

_ROWS: Final = """
SELECT org_id, account, sealed_key, key_fingerprint, tool_server_credential_id, requests_per_minute, revision
FROM vapi_accounts
"""
# Locked, so that of one clinic the outbox keeps the order in which its accounts came true.
_SAY: Final = """
SELECT say_vapi_account(a.org_id, a)
FROM (SELECT * FROM vapi_accounts WHERE org_id = ANY ($1::uuid[]) ORDER BY org_id FOR SHARE) AS locked
JOIN vapi_accounts a USING (org_id)
"""
_SAY_NONE: Final = """
SELECT say_vapi_account(org_id, NULL) FROM unnest($1::uuid[]) AS gone (org_id)
WHERE NOT EXISTS (SELECT FROM vapi_accounts a WHERE a.org_id = gone.org_id)
"""

_log: Final = structlog.get_logger()


class AccountComparison:
    """Compares; who calls it has made sure that the rows are not a backup's, and that nobody else is at it."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database

    async def run_once(self) -> int:
        """How many accounts, and ends of accounts, were put into the outbox."""
        said = await self._said()
        async with self._database.connection() as connection:
            rows = [VapiAccount.model_validate(dict(row)) for row in await connection.fetch(_ROWS)]
            lacking = [row.org_id for row in rows if said.pop(row.org_id, None) != row]
            told: list[Any] = await connection.fetch(_SAY, lacking) if lacking else []
            told += await connection.fetch(_SAY_NONE, list(said)) if said else []
        return len(told)

    async def _said(self) -> dict[UUID, VapiAccount | None]:
        """What the topic has of each clinic; None: nothing that can be read."""
        said: dict[UUID, VapiAccount | None] = {}
        servers, topic = self._settings.kafka_bootstrap_servers, self._settings.vapi_accounts_topic
        async with compacted(servers, topic, "assistant-api accounts") as reading:
            async for newest in reading.partitions():
                for key, record in newest.items():
                    try:
                        read = read_account(key, record.value, record.headers)
                    except UndecodableRecord as error:
                        _log.error("vapi_account_unreadable", topic=topic, reason=error.reason)
                        if record.value is not None and error.org_id is not None:
                            said[clinic_of(key)] = None
                    else:
                        if read.message is not None:
                            said[read.org_id] = read.message
        return said
