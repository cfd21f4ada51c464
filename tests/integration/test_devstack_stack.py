"""The stack comes up as a whole, is known to the other commands, and is gone as a whole."""

import subprocess
import sys
from pathlib import Path

import pytest

from devstack import postgres, process, sandbox, services, state, topics
from devstack.errors import NotPossible
from devstack.launch import running
from devstack.options import DEMO_PORTS, Options, choose_ports


async def test_everything_answers_and_nothing_is_left_afterwards(tmp_path: Path) -> None:
    said: list[str] = []
    options = Options(
        state_dir=tmp_path / "state", log_file=tmp_path / "app.log", partitions=2, fsync=False, say=said.append
    )
    async with running(options) as stack:
        for name in ("PostgreSQL 18", "Kafka 4", "Vapi sandbox", "assistant-api migrated", "tool-sync migrated"):
            assert any(line.strip().startswith(f"✔ {name}") for line in said), said
        assert await postgres.not_answering(stack.database("tool_sync").service) is None
        assert await postgres.not_answering(stack.database("assistant_api").service) is None
        assert await topics.not_answering(stack.bootstrap_servers) is None
        around = stack.surroundings
        assert await sandbox.not_answering(around.vapi_base_url, around.vapi_api_key) is None
        assert await services.not_ready(stack.assistant_api_url) is None
        with pytest.raises(NotPossible, match="runs already"):
            async with running(options):
                pytest.fail("a second stack took the folder of the first")
        found = state.load(options.state_dir)
        assert found is not None
        names = {"PostgreSQL", "Kafka", "Vapi sandbox", "assistant-api", "tool-sync"}
        assert {entry.name for entry in found.entries if entry.running} == names
        assert found.env["KAFKA_BOOTSTRAP_SERVERS"] == stack.bootstrap_servers
        pids = [entry.pid for entry in found.entries]
    assert state.load(options.state_dir) is None
    assert [pid for pid in pids if _alive(pid)] == []


async def test_a_stopped_service_starts_again_at_the_same_address(tmp_path: Path) -> None:
    options = Options(state_dir=tmp_path / "state", log_file=tmp_path / "app.log", fsync=False, say=lambda _: None)
    async with running(options) as stack:
        await stack.children["tool-sync"].stop()
        assert "ConnectError" in str(await services.not_ready(stack.tool_sync_url))
        await stack.start_service("tool_sync")
        assert await services.not_ready(stack.tool_sync_url) is None


def test_up_leaves_it_running_for_the_other_commands_and_down_ends_it(tmp_path: Path) -> None:
    def devstack(command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "devstack", command], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    try:
        up = devstack("up")
        assert (up.returncode, up.stdout) == (0, ""), up.stderr
        status = devstack("status")
        assert status.returncode == 0
        assert status.stdout.count(" running ") == 6
        assert "export ASSISTANT_API_URL=http://127.0.0.1:" in devstack("env").stdout
        again = devstack("up")
        assert again.returncode == 1
        assert "runs already" in again.stderr
        pids = [int(line.split("pid ")[1].split()[0]) for line in status.stdout.splitlines()]
    finally:
        down = devstack("down")
    assert down.returncode == 0
    assert [pid for pid in pids if _alive(pid)] == []


async def test_a_part_that_fails_takes_the_others_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAEGER_BIN", "/bin/false")
    options = Options(state_dir=tmp_path / "state", log_file=tmp_path / "app.log", fsync=False, say=lambda _: None)
    with pytest.raises(process.StartFailed, match="Jaeger did not start: it ended with status 1"):
        async with running(options):
            pytest.fail("a stack without its Jaeger came up")
    assert state.load(options.state_dir) is None
    listed = subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True, check=True)  # noqa: ASYNC221
    assert str(tmp_path) not in listed.stdout


async def test_a_taken_port_of_the_demo_is_named_with_who_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = await choose_ports(fixed=False)
    assert len(set(ports.values())) == len(DEMO_PORTS)
    child = await sandbox.start(log=Path("/dev/null"))
    try:
        monkeypatch.setitem(DEMO_PORTS, "tool-sync", int(child.url.rpartition(":")[2]))
        with pytest.raises(NotPossible, match=r"port \d+ is taken, and tool-sync needs it"):
            await choose_ports(fixed=True)
    finally:
        await child.stop()


def test_the_real_vapi_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAPI", "live")
    monkeypatch.delenv("VAPI_API_KEY", raising=False)
    with pytest.raises(NotPossible, match="VAPI=live needs"):
        Options.from_env()
    monkeypatch.setenv("VAPI_API_KEY", "a-key")
    assert Options.from_env().vapi_live_key == "a-key"
    monkeypatch.setenv("VAPI", "staging")
    with pytest.raises(NotPossible, match="expected sandbox or live"):
        Options.from_env()


def test_commands_without_a_stack_say_so_and_print_no_answer(tmp_path: Path) -> None:
    for command, status in (("status", 1), ("env", 1), ("down", 0)):
        done = subprocess.run(
            [sys.executable, "-m", "devstack", command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (status, "", "nothing is running\n")


def test_the_token_command_prints_the_token_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "devstack", "token"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.count(".") == 2
    assert done.stdout.split() == [done.stdout.strip()]
    wrong = subprocess.run([*command, "--org", "x"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stdout) == (2, "")


def _alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"
