"""Commands about clinics' own Vapi accounts: the list, another envelope key, and a restore that looks into each one."""

import json
from uuid import UUID, uuid4

import asyncpg
from tests.support.unfolded import unfolded

from devstack.databases import DatabaseUrls
from devstack.sandbox import Sandbox, account_key

from .harness import Harness, Vapi
from .processes import environment_of, start
from .vapi_accounts import ENVELOPE, MATERIAL, account_of, fill, give, names_in, with_accounts

NEW_FIRST = f"new:{MATERIAL['new']},old:{MATERIAL['old']}"


async def command(environment: dict[str, str], *arguments: str) -> tuple[int | None, str]:
    """Exit status and what it printed, which never has a key."""
    process = await start(environment, *arguments)
    printed, _ = await process.communicate()
    for secret in (account_key("a"), account_key("b"), *MATERIAL.values()):
        assert secret not in printed.decode()
    return process.returncode, printed.decode() if "--json" in arguments else unfolded(printed.decode())


async def clinic_with(harness: Harness, account: str) -> UUID:
    """A clinic with an account of its own."""
    org_id = await harness.organization()
    assert (await give(harness, org_id, account, requestsPerMinute=600)).status_code == 200
    return org_id


async def test_keys_are_listed_and_sealed_anew_and_the_service_goes_on_with_either(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi
) -> None:
    for name in "ab":
        await fill(sandbox.url, name)
    env = environment_of(assistant_api_db, sandbox, VAPI_KEY_ENVELOPE_KEYS=NEW_FIRST)
    async with with_accounts(assistant_api_db, sandbox, vapi) as harness:
        first, second = await clinic_with(harness, "a"), await clinic_with(harness, "b")
        status, printed = await command(env, "vapi-keys", "list")
        assert status == 0
        assert f"{first} {account_of('a')}" in printed
        assert printed.count("600/min, sealed with old") == 2
        rotate = ("vapi-keys", "rotate-envelope", "--reason", "the old one is a year old")
        assert await command(env, *rotate) == (
            0, "2 of 2 key(s) sealed with new, 0 were already, 0 changed meanwhile, 0 do not open"
        )  # fmt: skip
        status, printed = await command(env, *rotate)
        assert (status, printed[:28]) == (0, "0 of 2 key(s) sealed with ne")
        rows = [json.loads(line) for line in (await command(env, "vapi-keys", "list", "--json"))[1].splitlines()]
        assert {row["envelope"] for row in rows} == {"new"}
        assert {row["org_id"] for row in rows} == {str(first), str(second)}
        no_key = environment_of(assistant_api_db, sandbox)
        status, printed = await command(no_key, *rotate)
        assert (status, "VAPI_KEY_ENVELOPE_KEYS" in printed) == (2, True)
        lost = environment_of(assistant_api_db, sandbox, VAPI_KEY_ENVELOPE_KEYS=ENVELOPE.get_secret_value())
        status, printed = await command(lost, *rotate)
        assert (status, printed.count("sealed with the envelope key new")) == (1, 2)
        asked = await harness.owner.fetchval("SELECT count(*) FROM access_log WHERE action = 'vapi_keys.seal'")
        assert asked == 3


async def test_a_restore_takes_up_what_is_in_each_account_and_refuses_where_it_cannot_look(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi
) -> None:
    await fill(sandbox.url, "a")
    installation = uuid4()
    async with with_accounts(assistant_api_db, sandbox, vapi, installation_id=installation) as harness:
        own = await clinic_with(harness, "a")
        saved = await harness.agent(own, id="own", name="of a")
        await harness.agent(await harness.organization(), id="plain")
    admin = await asyncpg.connect(assistant_api_db.admin)
    try:
        await admin.execute("SET session_replication_role = replica")
        await admin.execute(
            "UPDATE agents SET vapi_assistant_id = NULL, vapi_seen = false, vapi_made = false, saved_revision = 1,"
            " provisioned_revision = 0, model_hash = NULL, provisioner_writes = 0"
        )
    finally:
        await admin.close()
    told = {
        "MIGRATE_DATABASE_URL": assistant_api_db.owner,
        "INSTALLATION_ID": str(installation),
        "SETTLE_SECONDS": "0.1",
    }
    restore = ("restore", "--yes", "--reason", "the disk was lost")
    status, printed = await command(environment_of(assistant_api_db, sandbox, **told), *restore)
    assert (status, account_of("a") in printed) == (3, True), printed
    env = environment_of(assistant_api_db, sandbox, VAPI_KEY_ENVELOPE_KEYS=NEW_FIRST, **told)
    status, printed = await command(env, *restore)
    assert (status, "2 agent(s) will be brought to Vapi again" in printed) == (0, True), printed
    async with with_accounts(assistant_api_db, sandbox, vapi, installation_id=installation) as harness:
        assert (await harness.provisioned("own"))["vapi_assistant_id"] == saved["assistantId"]
        await harness.provisioned("plain")
    assert await names_in(sandbox.url, account_key("a")) == ["of a", "the agency's own"]
    assert len(await names_in(sandbox.url, sandbox.api_key)) == 1
