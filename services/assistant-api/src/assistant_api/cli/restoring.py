"""What `assistant-api restore` does: look at Vapi, begin again, and say what needs a person."""

import asyncio
from collections.abc import Mapping, Sequence

import asyncpg
from pydantic import SecretStr

from assistant_api.access_log.entry import Action, Entry, Who
from assistant_api.access_log.record import record
from assistant_api.restore.begin import Begun, Pair, ServiceRuns, begin_again, own_keys, require_stopped
from assistant_api.restore.marked import Listing, VapiNotListed, list_assistants
from assistant_api.settings.commands import RestoreSettings
from zerotouch_platform.lines import print_error, print_line
from zerotouch_platform.postgres.installation import ForeignInstallation
from zerotouch_platform.vapi.envelope import CannotOpen, Envelope


class CannotRestore(Exception):
    """Nothing was changed; the message says why."""


async def restore_database(settings: RestoreSettings, who: Who) -> None:
    """Begin again, and print what was found. Raises :class:`CannotRestore` and what a database raises."""
    connection = await asyncpg.connect(
        settings.migrate_database_url.get_secret_value(),
        timeout=30,
        server_settings={"application_name": "zerotouch cli"},  # not `assistant-api`: so the service calls itself
    )
    try:
        await require_stopped(connection)
        print_error(f"waiting {settings.settle_seconds:g} s, until no call to Vapi can land any more")
        await asyncio.sleep(settings.settle_seconds)
        key = settings.vapi_api_key.get_secret_value
        at_vapi = await list_assistants(settings.vapi_base_url, key, settings.installation_id)
        own = await _own_accounts(connection, settings)
        async with connection.transaction():
            await record(connection, Entry(who, Action.INSTALLATION_RESTORE, None, str(settings.installation_id)))
            begun = await begin_again(connection, settings.vapi_account, settings.installation_id, at_vapi, own)
    except (ServiceRuns, ForeignInstallation, VapiNotListed) as error:
        raise CannotRestore(str(error)) from error
    finally:
        await connection.close()
    _say(begun, at_vapi)


async def _own_accounts(connection: asyncpg.Connection, settings: RestoreSettings) -> Mapping[str, Listing]:
    """What is in the accounts that clinics have of their own. Raises :class:`CannotRestore`: half of it is nothing."""
    envelope = Envelope(settings)
    found: dict[str, Listing] = {}
    for sealed in await own_keys(connection):
        try:
            key = SecretStr(await envelope.open(sealed)).get_secret_value
            found[sealed.account] = await list_assistants(settings.vapi_base_url, key, settings.installation_id)
        except (CannotOpen, VapiNotListed) as error:
            what = f"the account {sealed.account} of clinic {sealed.org_id} cannot be read: {error}"
            raise CannotRestore(f"{what}; see docs/runbooks/restore-assistant-api.md") from error
    return found


def _say(begun: Begun, at_vapi: Listing) -> None:
    print_line(f"the messages form log {begun.log_id} from here on")
    print_line(f"{begun.saved_again:,} agent(s) will be brought to Vapi again, as the database has them")
    print_line(f"looked at: {len(at_vapi.ids):,} assistants at Vapi, {len(at_vapi.marked):,} of this installation")
    _list(
        "at Vapi, and no agent's: made or adopted after the backup; kept until their agents are made again",
        begun.orphans,
    )
    _list("gone at Vapi: their agents were deleted after the backup, or their assistants; left alone", begun.gone)


def _list(what: str, pairs: Sequence[Pair]) -> None:
    if pairs:
        print_line(f"{len(pairs):,} assistant(s) {what}:")
    for pair in pairs:
        print_line(f"  organization {pair.org_id} agent {pair.agent_id} assistant {pair.assistant_id}")
