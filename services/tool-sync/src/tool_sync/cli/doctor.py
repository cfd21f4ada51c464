"""``tool-sync doctor``: what stands between the service and its work."""

from collections.abc import Iterator

from tool_sync.cli.ending import end_with
from tool_sync.cli.exits import EXIT_FOUND, fail
from tool_sync.cli.options import Json
from tool_sync.cli.output import entry, print_json, print_lines


def doctor(as_json: Json = False) -> None:
    """Check all that the service needs, by its own settings, and say what to do where something is wrong.

    Looks at settings, database, migrations, processes, clock, Kafka, the key at
    Vapi (one read), keys of tokens, and what waits for a person. Writes nothing.

    Exit status 1: something is wrong, or could not be looked at. 2: a setting is
    missing or wrong.
    """
    end_with(_doctor(as_json=as_json))


async def _doctor(*, as_json: bool) -> int:
    from tool_sync.admin.doctor import Symptom, examine
    from tool_sync.cli.looking import DEADLINE_SECONDS, client_of
    from tool_sync.settings import Settings
    from zerotouch_platform.settings import SettingsInvalid, load

    def lines(found: Symptom) -> Iterator[str]:
        mark = "not looked at" if not found.is_looked_at else "ok" if found.what_to_do is None else "WRONG"
        yield from entry(f"{mark:14}{found.name}: {found.said}", [("what to do", found.what_to_do)])

    try:
        settings = load(Settings)
    except SettingsInvalid as invalid:
        fail(invalid)
    key = settings.vapi_api_key.get_secret_value()
    client = client_of(settings.vapi_base_url, key, settings.vapi_account, DEADLINE_SECONDS, connections_max=1)
    findings = []
    async with client as vapi:
        async for found in examine(settings, vapi):
            findings.append(found)
            if not as_json:
                print_lines(lines(found))
    unseen = [found.name for found in findings if not found.is_looked_at]
    if as_json:
        print_json("doctor", findings, complete=not unseen, not_looked_at=unseen)
    return EXIT_FOUND if unseen or any(found.what_to_do for found in findings) else 0
