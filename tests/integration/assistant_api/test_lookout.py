"""What another process put in is found by one look, which wakes whose work it is."""

from assistant_api.app.lookout import Lookout, Wakes

from .harness import Harness


async def woken_by_a_look(harness: Harness, *, relay_leads: bool) -> list[str]:
    woken: list[str] = []
    wakes = Wakes(
        lambda: woken.append("provisioner"),
        lambda: woken.append("remover"),
        lambda: woken.append("relay"),
        lambda: relay_leads,
    )
    await Lookout(harness.service.database, wakes, settle_seconds=0).run_once()
    return woken


async def test_a_look_wakes_nobody_while_nothing_is_due(harness: Harness) -> None:
    assert await woken_by_a_look(harness, relay_leads=True) == []


async def test_a_message_wakes_the_relay_that_leads_and_none_that_stands_by(harness: Harness) -> None:
    await harness.agent(await harness.organization())
    assert await woken_by_a_look(harness, relay_leads=True) == ["relay"]
    assert await woken_by_a_look(harness, relay_leads=False) == []


async def test_a_row_by_plain_sql_wakes_the_provisioner_and_a_removal_the_remover(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="gone")
    await harness.suspend_provisioning()
    harness.service.loops["remover"].stop()
    await harness.owner.execute("INSERT INTO agents (org_id, id, name) VALUES ($1, 'new', 'Reception')", org_id)
    await harness.owner.execute("DELETE FROM agents WHERE org_id = $1 AND id = 'gone'", org_id)
    assert await woken_by_a_look(harness, relay_leads=False) == ["provisioner", "remover"]
