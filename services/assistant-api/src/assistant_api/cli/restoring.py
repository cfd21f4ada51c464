"""What `assistant-api restore` does: look at Vapi, begin again, and say what needs a person."""

import asyncio
import sys
from collections.abc import Sequence

import asyncpg

from assistant_api.restore.begin import Begun, Pair, ServiceRuns, begin_again, require_stopped
from assistant_api.restore.marked import Listing, VapiNotListed, list_assistants
from assistant_api.settings import RestoreSettings
from zerotouch_platform.postgres.installation import ForeignInstallation


class CannotRestore(Exception):
    """Nothing was changed; the message says why."""


async def restore_database(settings: RestoreSettings) -> None:
    """Begin again, and print what was found. Raises :class:`CannotRestore` and what a database raises."""
    connection = await asyncpg.connect(
        settings.migrate_database_url.get_secret_value(),
        timeout=30,
        server_settings={"application_name": "zerotouch cli"},  # not `assistant-api`: so the service calls itself
    )
    try:
        await require_stopped(connection)
        print(f"waiting {settings.settle_seconds:g} s, until no call to Vapi can land any more", file=sys.stderr)
        await asyncio.sleep(settings.settle_seconds)
        key = settings.vapi_api_key.get_secret_value
        at_vapi = await list_assistants(settings.vapi_base_url, key, settings.installation_id)
        begun = await begin_again(connection, settings.vapi_account, settings.installation_id, at_vapi)
    except (ServiceRuns, ForeignInstallation, VapiNotListed) as error:
        raise CannotRestore(str(error)) from error
    finally:
        await connection.close()
    _say(begun, at_vapi)


def _say(begun: Begun, at_vapi: Listing) -> None:
    print(f"the messages form log {begun.log_id} from here on")
    print(f"{begun.saved_again:,} agent(s) will be brought to Vapi again, as the database has them")
    print(f"looked at: {len(at_vapi.ids):,} assistants at Vapi, {len(at_vapi.marked):,} of this installation")
    _list(
        "at Vapi, and no agent's: made or adopted after the backup; kept until their agents are made again",
        begun.orphans,
    )
    _list("gone at Vapi: their agents were deleted after the backup, or their assistants; left alone", begun.gone)


def _list(what: str, pairs: Sequence[Pair]) -> None:
    if pairs:
        print(f"{len(pairs):,} assistant(s) {what}:")
    for pair in pairs:
        print(f"  organization {pair.org_id} agent {pair.agent_id} assistant {pair.assistant_id}")
