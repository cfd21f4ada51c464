"""What devstack starts ends: by a stop, by a failure, and when its parent is killed."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import jwt
import psutil  # type: ignore[import-untyped]
import pytest

from devstack import guard, kafka, ports, postgres, process, state, tokens, topics
from devstack.errors import NotPossible
from devstack.ports import free_port

WITH_GRANDCHILD = ["sh", "-c", "sleep 600 & echo started; sleep 600"]


def listed(columns: str) -> str:
    """What `ps` says of every process."""
    return subprocess.run(["ps", "-eo", columns], capture_output=True, text=True, check=True).stdout


def runs(pgid: int) -> bool:
    """Whether a process of the group does more than wait to be reaped."""
    found = map(str.split, listed("pgid=,stat=").splitlines())
    return any(int(group) == pgid and not status.startswith("Z") for group, status in found)


async def gone(pgid: int) -> str | None:
    return f"group {pgid} still runs" if runs(pgid) else None


def starter(tmp_path: Path, ending: str) -> subprocess.Popen[str]:
    """Runs a program that starts a child with a grandchild, prints the child's pid and then does `ending`."""
    program = f"""
        import asyncio, os, signal, sys, time
        from pathlib import Path
        from devstack import process

        async def main() -> int:
            child = process.start("test", {WITH_GRANDCHILD!r}, log=Path(sys.argv[1]))
            print(child.pid, flush=True)
            try:
                {ending}
            finally:
                if sys.argv[2] == "stop":
                    await child.stop()
            return 0

        sys.exit(process.run(main()))
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "log"), "stop"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def pid_of(started: subprocess.Popen[str]) -> int:
    assert started.stdout is not None
    return int(started.stdout.readline())


async def test_a_stop_takes_the_whole_group_also_when_the_signal_is_ignored(tmp_path: Path) -> None:
    stubborn = ["sh", "-c", "trap '' TERM; echo started; sleep 600 & sleep 600; sleep 600"]
    child = process.start("stubborn", stubborn, log=tmp_path / "log")
    await child.ready(lambda: _logged(child, "started"), 5)
    assert runs(child.pid)
    await child.stop(within_seconds=0.2)
    assert child.returncode == -signal.SIGKILL
    assert await process.wait_until(lambda: gone(child.pid), 5) is None
    await child.stop()


async def test_a_child_that_ends_while_it_starts_shows_its_log_at_once(tmp_path: Path) -> None:
    child = process.start("short", ["sh", "-c", "echo no such luck; exit 3"], log=tmp_path / "log")
    with pytest.raises(process.StartFailed, match=r"short did not start: it ended with status 3(.|\n)*no such luck"):
        await child.ready(_never, within_seconds=60)


async def test_a_child_that_does_not_get_ready_is_stopped_and_says_why(tmp_path: Path) -> None:
    child = process.start("slow", WITH_GRANDCHILD, log=tmp_path / "log")
    with pytest.raises(process.StartFailed, match="slow did not start: not ready within 0 s: never"):
        await child.ready(_never, within_seconds=0.1)
    assert await process.wait_until(lambda: gone(child.pid), 5) is None


async def test_children_of_a_parent_that_was_killed_are_stopped(tmp_path: Path) -> None:
    with starter(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)") as parent:
        child = pid_of(parent)
        assert parent.wait(10) == -signal.SIGKILL
    assert await process.wait_until(lambda: gone(child), 10) is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_the_parent_stop_its_children(tmp_path: Path, number: signal.Signals) -> None:
    with starter(tmp_path, "await asyncio.sleep(600)") as parent:
        child = pid_of(parent)
        parent.send_signal(number)
        assert parent.wait(10) == 130
    assert not runs(child)


async def test_a_detached_child_outlives_its_parent_until_it_is_stopped_by_its_state(tmp_path: Path) -> None:
    child = process.start("detached", WITH_GRANDCHILD, log=tmp_path / "log", detached=True)
    entry = state.entry(child)
    state.save(tmp_path, state.State((entry,), {"NAME": "value"}))
    assert (state.path(tmp_path).stat().st_mode & 0o777) == 0o600
    loaded = state.load(tmp_path)
    assert loaded == state.State((entry,), {"NAME": "value"})
    assert entry.running
    assert not state.Entry("other", child.pid, entry.born + "1", signal.SIGTERM, "").running
    await state.stop([entry])
    assert await process.wait_until(lambda: gone(child.pid), 5) is None
    await child.stop()
    assert not entry.running


async def test_a_child_is_stopped_by_its_state_also_after_the_clock_was_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = process.start("detached", WITH_GRANDCHILD, log=tmp_path / "log", detached=True)
    state.save(tmp_path, state.State((state.entry(child),), {}))
    true = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda one: true(one) + 3600)  # the boot time moves with it
    found = state.load(tmp_path)
    assert found is not None
    assert [entry.running for entry in found.entries] == [True]
    await state.stop(found.entries)
    assert await process.wait_until(lambda: gone(child.pid), 5) is None
    await child.stop()


async def test_kafka_that_cannot_start_shows_its_own_log_and_leaves_no_process(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(process.StartFailed) as failure:
        await kafka.start(tmp_path / "kafka", port=taken.getsockname()[1])
    assert "Address already in use" in failure.value.tail
    assert "Address already in use" in str(failure.value)
    assert str(tmp_path) not in listed("args=")


async def test_kafka_keeps_its_records_over_a_restart_at_the_same_address(tmp_path: Path) -> None:
    first = await kafka.start(tmp_path / "kafka")
    try:
        await topics.create(first.bootstrap_servers, [topics.TopicSpec("kept", 3)])
    finally:
        await first.stop()
    assert not guard.group_exists(first.child.pid)
    second = await kafka.start(tmp_path / "kafka", port=first.port)
    try:
        with pytest.raises(NotPossible, match="topic kept: expected 4 partitions, found 3"):
            await topics.create(second.bootstrap_servers, [topics.TopicSpec("kept", 4)])
    finally:
        await second.stop()
    assert not guard.group_exists(second.child.pid)


async def test_postgresql_that_cannot_start_shows_its_own_log(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(process.StartFailed, match="Address already in use"),
    ):
        await postgres.start(tmp_path / "postgres", port=taken.getsockname()[1], fsync=False)


def test_a_free_port_is_not_one_that_a_connection_could_take_before_it_is_bound() -> None:
    ephemeral = range(*map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()))
    given = [free_port() for _ in range(200)]
    assert len(set(given)) == len(given)
    assert not [port for port in given if port in ephemeral or port < ports.LOWEST]
    # A machine whose kernel takes nearly all of them for connections still has ports to give.
    assert len(ports.candidates(range(1_024, 65_536))) == ports.HIGHEST - ports.LOWEST + 1
    assert 10_001 not in ports.candidates(range(10_000, 20_000))


async def test_health_checks_say_what_is_wrong() -> None:
    port = free_port()
    assert "refused" in str(await postgres.not_answering(f"postgresql://x:x@127.0.0.1:{port}/x")).lower()
    assert await topics.not_answering(f"127.0.0.1:{port}") == f"nobody listens on 127.0.0.1:{port}"


def test_tokens_are_signed_once_and_for_all_and_verified_with_the_public_key(tmp_path: Path) -> None:
    org = "0f0e0d0c-0b0a-4908-8706-050403020100"
    signer = tokens.signer(tmp_path)
    assert tokens.signer(tmp_path) == signer
    assert (os.stat(tmp_path / "jwt-private.pem").st_mode & 0o777) == 0o600
    wanted = {"algorithms": ["EdDSA"], "issuer": tokens.ISSUER, "audience": tokens.AUDIENCE}
    platform = jwt.decode(signer.platform_token(), signer.public_key, **wanted)  # type: ignore[arg-type]
    assert (platform["role"], "org_id" in platform) == ("platform", False)
    claims = jwt.decode(signer.org_token(org.upper()), signer.public_key, **wanted)  # type: ignore[arg-type]
    assert (claims["role"], claims["org_id"], "scope" in claims) == ("org", org, False)
    scoped = jwt.decode(signer.org_token(org, scope="sync"), signer.public_key, **wanted)  # type: ignore[arg-type]
    assert scoped["scope"] == "sync"
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(signer.org_token(org, lifetime_seconds=-60), signer.public_key, **wanted)  # type: ignore[arg-type]
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(tokens.new_signer().platform_token(), signer.public_key, **wanted)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="badly formed"):
        signer.org_token("not-a-uuid")


async def _never() -> str | None:
    return "never"


async def _logged(child: process.Child, text: str) -> str | None:
    return None if text in process.tail(child.log) else f"{text} was not logged"
