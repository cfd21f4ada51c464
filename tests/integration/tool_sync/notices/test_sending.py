"""Notices reach a clinic's server in order and at least once, and no server harms anybody, whatever it does."""

import asyncio
import resource
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from structlog.testing import capture_logs
from tests.support.eventually import eventually

from tool_sync.notices import queue
from tool_sync.notices.endpoints import replay
from tool_sync.notices.sending import AT_ONCE_MAX, PAUSES_SECONDS
from tool_sync.notices.signing import SecretBox

from .conftest import Desk
from .receiver import Answer, Receiver, a_gigabyte, never, says, slowly, status


def tools(receiver: Receiver) -> list[str]:
    return [one.document["data"]["tool"] for one in receiver.taken]


async def test_notices_come_signed_and_in_order_and_each_once(desk: Desk, receiver: Receiver) -> None:
    org_id = await desk.clinic(receiver.url)
    await desk.tell(org_id, "a", "b", "c")
    await desk.tell(org_id, "b")  # told already
    sender = desk.sender()
    await desk.work(sender, 5)
    assert tools(receiver) == ["a", "b", "c"]
    assert all(one.is_signed_with(desk.secrets[org_id]) for one in receiver.taken)
    assert len({one.id for one in receiver.taken}) == 3
    first = receiver.taken[0]
    assert first.document["data"]["org_id"] == str(org_id)
    assert abs(int(first.headers["webhook-timestamp"]) - time.time()) < 60
    assert first.headers["content-type"] == "application/json"
    found = await desk.endpoint(org_id)
    assert (found.state, found.waiting, found.why) == ("works", 0, None)
    assert found.delivered_at is not None


async def test_what_fails_is_tried_again_with_the_same_id_and_holds_up_what_is_behind_it(
    desk: Desk, receiver: Receiver
) -> None:
    org_id = await desk.clinic(receiver.url)
    await desk.tell(org_id, "a", "b")
    receiver.answer = status(500)
    sender = desk.sender()
    for number, seconds in enumerate((*PAUSES_SECONDS, PAUSES_SECONDS[-1])):
        await desk.work(sender, 2)
        found = await desk.endpoint(org_id)
        assert found.next_try_at is not None
        assert found.last_try_at is not None
        assert round((found.next_try_at - found.last_try_at).total_seconds()) == seconds
        assert len(receiver.taken) == number + 1, "not before its time, and nothing of what waits behind it"
        await desk.later(org_id)
    assert (found.state, found.why, found.waiting) == ("failing", "it answered 500", 2)
    receiver.answer = status(200, body=b"thanks")
    await desk.work(sender, 2)
    assert tools(receiver)[-2:] == ["a", "b"]
    assert len({one.id for one in receiver.taken}) == 2
    assert (await desk.endpoint(org_id)).state == "works"


def redirect_to(receiver: Receiver) -> Answer:
    return status(307, f"Location: {receiver.url}")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (never, "no answer within 0.3 s"),
        (slowly, "no answer within 0.3 s"),
        (says(b""), "it cannot be reached: ServerDisconnectedError"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Le"), "it cannot be reached: "),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx"), "it cannot be reached: ClientPayloadError"),
        (says(b"\x16\x03\x01\x02\x00garbage\r\n\r\n"), "it cannot be reached: "),
        (says(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 100_000 + b"\r\n\r\n"), "it cannot be reached: "),
        (status(301, "Location: http://169.254.169.254/"), "it answered 301"),
        (status(404), "it answered 404"),
        (status(429, "Retry-After: 999999999"), "it answered 429"),
    ],
    ids=[
        "never",
        "slowly",
        "closes",
        "in a header",
        "in the body",
        "no http",
        "long header",
        "redirects",
        "404",
        "429",
    ],
)
async def test_a_receiver_that_does_not_take_it_costs_a_bounded_time_and_is_told_why(
    desk: Desk, receiver: Receiver, answer: Answer, why: str
) -> None:
    org_id = await desk.clinic(receiver.url)
    await desk.tell(org_id, "a")
    receiver.answer = answer
    began = time.monotonic()
    await desk.work(desk.sender(seconds_max=0.3))
    assert time.monotonic() - began < 3
    found = await desk.endpoint(org_id)
    assert (found.state, found.waiting) == ("failing", 1)
    assert (found.why or "").startswith(why)


async def test_no_redirect_is_followed(desk: Desk, receiver: Receiver) -> None:
    ours = Receiver()
    await ours.open()
    org_id = await desk.clinic(receiver.url)
    await desk.tell(org_id, "a")
    receiver.answer = redirect_to(ours)
    await desk.work(desk.sender(), 2)
    await ours.close()
    assert ours.taken == []
    assert (await desk.endpoint(org_id)).why == "it answered 307"


async def test_an_answer_of_a_gigabyte_is_not_read(desk: Desk, receiver: Receiver) -> None:
    org_id = await desk.clinic(receiver.url)
    await desk.tell(org_id, "a")
    receiver.answer = a_gigabyte
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    await desk.work(desk.sender())
    assert time.monotonic() - began < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000, "kB"
    assert (await desk.endpoint(org_id)).state == "works", "it said 200"


async def test_slow_receivers_hold_up_nobody_and_few_are_asked_at_once(desk: Desk, receiver: Receiver) -> None:
    slow = Receiver(never)
    await slow.open()
    for _ in range(AT_ONCE_MAX + 5):
        await desk.tell(await desk.clinic(slow.url), "slow")
    sender = desk.sender(seconds_max=0.5)
    await sender.run_once()
    await eventually(lambda: _is(slow.at_once == AT_ONCE_MAX), within_seconds=5)
    quick = await desk.clinic(receiver.url)
    await desk.tell(quick, "quick")
    assert await sender.run_once() == 0, "no place is free"
    assert slow.most_at_once == AT_ONCE_MAX
    await sender.settled()  # after half a second
    await desk.work(sender)
    assert tools(receiver) == ["quick"]
    await slow.close()


async def _is(value: bool) -> bool:
    return value


async def test_of_one_clinic_one_is_on_its_way_at_a_time(desk: Desk, receiver: Receiver) -> None:
    org_id = await desk.clinic(receiver.url)
    await desk.tell(org_id, *"abcdef")
    gate = asyncio.Event()

    async def wait(writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        await says(b"HTTP/1.1 204 X\r\n\r\n")(writer)

    receiver.answer = wait
    sender = desk.sender(seconds_max=5)
    await sender.run_once()
    await eventually(lambda: _is(receiver.at_once == 1), within_seconds=5)
    assert await sender.run_once() == 0
    gate.set()
    await desk.work(sender, 7)
    assert tools(receiver) == [*"abcdef"]
    assert receiver.most_at_once == 1


async def test_an_address_that_is_not_public_is_not_connected_to(desk: Desk, receiver: Receiver) -> None:
    """Set while it was allowed, or by a name that leads elsewhere by now."""
    literal = await desk.clinic(receiver.url)
    by_name = await desk.clinic(f"https://localhost:{receiver.port}/")
    for org_id in (literal, by_name):
        await desk.tell(org_id, "a")
    await desk.work(desk.sender(loopback_allowed=False))
    assert receiver.taken == []
    assert "loopback" in ((await desk.endpoint(literal)).why or "")
    assert (await desk.endpoint(by_name)).why == "the host leads to an address that is loopback"


async def test_after_a_day_it_is_disabled_with_an_alarm_and_a_replay_sends_what_was_not_delivered(
    desk: Desk, receiver: Receiver
) -> None:
    org_id = await desk.clinic(receiver.url)
    await desk.tell(org_id, "a", "b")
    receiver.answer = status(503)
    sender = desk.sender()
    await desk.work(sender)
    await desk.pool.execute(
        "UPDATE notice_endpoints SET failing_since = clock_timestamp() - interval '1 day', next_try_at = NULL"
    )
    with capture_logs() as logs:
        await desk.work(sender)
    assert [one["why"] for one in logs if one.get("alarm")] == ["gave_up"]
    found = await desk.endpoint(org_id)
    assert (found.state, found.why, found.waiting) == ("disabled", "nothing was taken for a day", 2)
    await desk.later(org_id)
    await desk.tell(org_id, "c")
    receiver.answer = status(200)
    await desk.work(sender, 3)
    assert len(receiver.taken) == 2, "nothing is sent while it is disabled"
    async with desk.pool.acquire() as connection:
        assert await replay(connection, org_id)
    await desk.work(sender, 4)
    assert tools(receiver)[2:] == ["a", "b", "c"]
    assert len({one.id for one in receiver.taken}) == 3
    assert (await desk.endpoint(org_id)).state == "works"


async def test_who_is_gone_is_asked_no_more_until_it_is_set_anew(desk: Desk, receiver: Receiver) -> None:
    org_id = await desk.clinic(receiver.url)
    await desk.tell(org_id, "a")
    receiver.answer = status(410)
    sender = desk.sender()
    await desk.work(sender, 2)
    assert (await desk.endpoint(org_id)).disabled_why == "gone"
    receiver.answer = status(200)
    await desk.clinic(receiver.url, org_id=org_id)
    await desk.work(sender)
    assert tools(receiver) == ["a", "a"]


async def test_a_secret_of_another_key_disables_and_nothing_is_sent_unsigned(desk: Desk, receiver: Receiver) -> None:
    org_id = await desk.clinic(receiver.url)
    await desk.tell(org_id, "a")
    desk.box = SecretBox(bytes(32))
    await desk.work(desk.sender())
    assert receiver.taken == []
    assert (await desk.endpoint(org_id)).disabled_why == "secret_unreadable"


async def test_after_a_rotation_both_secrets_sign_for_a_day(desk: Desk, receiver: Receiver) -> None:
    org_id = await desk.clinic(receiver.url)
    old = desk.secrets[org_id]
    await desk.clinic(receiver.url, org_id=org_id)  # set again without a rotation: the secret stays
    assert desk.secrets[org_id] == old
    await desk.clinic(receiver.url, org_id=org_id, rotate=True)
    new = desk.secrets[org_id]
    assert new != old
    await desk.tell(org_id, "a", "b")
    sender = desk.sender()
    await desk.work(sender)
    await desk.pool.execute("UPDATE notice_endpoints SET old_until = clock_timestamp()")
    await desk.work(sender)
    signed = [(one.is_signed_with(new), one.is_signed_with(old)) for one in receiver.taken]
    assert signed == [(True, True), (True, False)]


async def test_what_was_begun_for_an_older_url_says_nothing_of_the_new_one(desk: Desk, receiver: Receiver) -> None:
    slow, org_id = Receiver(never), None
    await slow.open()
    org_id = await desk.clinic(slow.url)
    await desk.tell(org_id, "a")
    sender = desk.sender(seconds_max=0.5)
    await sender.run_once()
    await eventually(lambda: _is(slow.at_once == 1), within_seconds=5)
    await desk.clinic(receiver.url, org_id=org_id)
    await sender.settled()
    await slow.close()
    assert (await desk.endpoint(org_id)).state == "works"
    await desk.work(sender)
    assert tools(receiver) == ["a"]


# Faults at each await: before the call, in it, after it, and while the result is recorded.


async def test_a_process_that_dies_after_the_call_sends_it_again_with_the_same_id(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    org_id = await desk.clinic(receiver.url)
    await desk.tell(org_id, "a", "b")
    dying = desk.sender()

    async def dies(*_args: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(queue, "delivered", dies)
        await desk.work(dying)
    await dying.close()
    await desk.work(desk.sender(), 3)
    assert tools(receiver) == ["a", "a", "b"]
    assert receiver.taken[0].id == receiver.taken[1].id


@pytest.mark.parametrize("where", ["delivered", "failed", "due_notices"])
async def test_a_database_that_is_away_is_waited_out(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    org_id = await desk.clinic(receiver.url)
    await desk.tell(org_id, "a")
    receiver.answer = status(500 if where == "failed" else 200)
    sender = desk.sender()

    async def away(*_args: Any) -> None:
        raise asyncpg.ConnectionDoesNotExistError

    with monkeypatch.context() as patch:
        patch.setattr(queue, where, away)
        if where == "due_notices":
            with pytest.raises(asyncpg.ConnectionDoesNotExistError):
                await sender.run_once()
        else:
            await desk.work(sender)
    receiver.answer = status(200)
    await desk.work(sender, 2)
    assert set(tools(receiver)) == {"a"}
    assert (await desk.endpoint(org_id)).waiting == 0


async def test_a_fault_of_ours_is_an_alarm_and_a_pause_and_holds_up_no_other_clinic(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    org_id, other = [await desk.clinic(receiver.url) for _ in range(2)]
    for one in (org_id, other):
        await desk.tell(one, "a")
    box = desk.box.open

    def broken(whose: UUID, sealed: str) -> str | None:
        if whose == org_id:
            raise RuntimeError("a fault")
        return box(whose, sealed)

    monkeypatch.setattr(desk.box, "open", broken)
    sender = desk.sender()
    with capture_logs() as logs:
        await desk.work(sender, 3)
    assert len([one for one in logs if one.get("alarm")]) == 1
    assert [one.document["data"]["org_id"] for one in receiver.taken] == [str(other)]
    assert (await desk.endpoint(org_id)).why == "a fault of ours"


async def test_a_process_that_is_stopped_in_the_call_has_not_delivered(desk: Desk, receiver: Receiver) -> None:
    org_id = await desk.clinic(receiver.url)
    await desk.tell(org_id, "a")
    receiver.answer = never
    stopped = desk.sender(seconds_max=30)
    await stopped.run_once()
    await eventually(lambda: _is(receiver.at_once == 1), within_seconds=5)
    began = time.monotonic()
    await stopped.close()
    assert time.monotonic() - began < 1
    receiver.answer = status(200)
    await desk.work(desk.sender())
    assert tools(receiver) == ["a", "a"]
    assert receiver.taken[0].id == receiver.taken[1].id


async def test_one_process_sends_and_the_next_follows_where_it_is_cut_off(
    desk: Desk, receiver: Receiver, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    org_id = await desk.clinic(receiver.url)
    first, second = desk.sender(), desk.sender()
    await desk.work(first)
    assert (first.leads, await second.run_once(), second.leads) == (True, 0, False)
    await desk.tell(org_id, "a", "b")
    await desk.work(second)
    assert receiver.taken == []
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tool-sync notices'"
        " AND pid = (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 7316 AND granted LIMIT 1)"
    )

    async def leads() -> bool:
        await second.run_once()
        return second.leads

    await eventually(leads, within_seconds=10)
    await desk.work(second, 3)
    await desk.work(first)
    assert tools(receiver) == ["a", "b"]
    assert not first.leads


async def test_who_takes_its_notices_back_while_one_is_on_its_way_gets_no_more(desk: Desk, receiver: Receiver) -> None:
    org_id = await desk.clinic(receiver.url)
    await desk.tell(org_id, "a", "b")
    gate = asyncio.Event()

    async def wait(writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        await says(b"HTTP/1.1 204 X\r\n\r\n")(writer)

    receiver.answer = wait
    sender = desk.sender(seconds_max=5)
    await sender.run_once()
    await eventually(lambda: _is(receiver.at_once == 1), within_seconds=5)
    await desk.pool.execute("DELETE FROM notice_endpoints WHERE org_id = $1", org_id)
    gate.set()
    await sender.settled()
    await desk.work(sender, 2)
    assert tools(receiver) == ["a"]
    assert await desk.value("SELECT count(*) FROM notices") == 0


async def test_old_notices_go(desk: Desk, receiver: Receiver) -> None:
    org_id: UUID = await desk.clinic(receiver.url)
    await desk.tell(org_id, "a", "b")
    await desk.pool.execute("UPDATE notices SET made_at = $1 WHERE said = 'a'", datetime.now(UTC) - timedelta(days=31))
    await queue.forget_notices(desk.pool)
    assert await desk.value("SELECT array_agg(said) FROM notices") == ["b"]
