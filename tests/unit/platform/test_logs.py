"""The lines of the log, as another process reads them."""

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

PROGRAM = """
import logging, sys
from pathlib import Path
import structlog
from zerotouch_platform import logs, telemetry
from zerotouch_platform.traces import show_traces_at
from opentelemetry.trace import use_span

show_traces_at("http://jaeger.example.test/")
logs.set_up("tool-sync", level="INFO", log_file=Path(sys.argv[1]))
log = structlog.get_logger("test")
log.info("Tools synced successfully", org_id="org-1", trace_id="given")
log.debug("not at this level")
with use_span(telemetry.off().start("x", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")):
    log.warning("in a span", name="Ünïcode \\ud800")
for _ in range(3):
    logging.getLogger("some.library").warning("from %s", "logging")
logging.getLogger("aiokafka").info("too quiet to be seen")
try:
    raise ValueError("broken")
except ValueError:
    log.exception("failed")
"""


def test_each_line_is_a_json_object_on_stdout_and_in_the_file(tmp_path: Path) -> None:
    log_file = tmp_path / "made" / "app.log"
    log_file.parent.mkdir()
    log_file.write_text("what the other service wrote\n")
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(log_file)], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stderr == ""
    kept, _, written = log_file.read_text().partition("\n")
    assert kept == "what the other service wrote"
    assert written == ended.stdout
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [(line["event"], line["level"], line["service"]) for line in lines] == [
        ("Tools synced successfully", "info", "tool-sync"),
        ("in a span", "warning", "tool-sync"),
        ("from logging", "warning", "tool-sync"),
        ("failed", "error", "tool-sync"),
    ]
    assert (lines[0]["org_id"], lines[0]["trace_id"]) == ("org-1", "given")
    assert lines[0]["trace_url"] == "http://jaeger.example.test/trace/given"
    assert lines[1]["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert lines[1]["span_id"] == "b7ad6b7169203331"
    assert "trace_url" not in lines[2], "it belongs to no trace"
    assert "ValueError: broken" in lines[3]["exception"]


SHAPE = """
import structlog
from zerotouch_platform import logs

logs.set_up("tool-sync", level="INFO", log_file=None)
structlog.get_logger("tool_sync.somewhere").info("said", reason="x" * 3000, count=3)
structlog.get_logger().info("without a name of its own")
"""


def test_what_happened_comes_first_and_long_values_are_cut() -> None:
    ended = subprocess.run([sys.executable, "-c", SHAPE], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.startswith('{"event": "said", ')
    said, other = (json.loads(line) for line in ended.stdout.splitlines())
    assert set(said) == {"event", "reason", "count", "level", "service", "logger", "time"}
    assert (said["reason"], said["count"]) == ("x" * 2000 + "…", 3)
    assert (said["logger"], other["logger"]) == ("tool_sync.somewhere", "__main__")


def test_a_full_disk_stops_nothing(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, "/dev/full"], capture_output=True, text=True, timeout=60, check=True
    )
    assert len(ended.stdout.splitlines()) == 4
    assert "logs: gave up on a destination" in ended.stderr


WRITER = """
import sys
from pathlib import Path
import structlog
from zerotouch_platform import logs

number = int(sys.argv[2])
logs.set_up("tool-sync", level="INFO", log_file=Path(sys.argv[1]), worker=number)
log = structlog.get_logger("test")
for line in range(400):
    log.info("said", line=line, **{f"long_{part}": "x" * 1900 for part in range(5)})
"""


def test_several_processes_write_one_file_that_is_rotated_under_them_and_no_line_is_lost_or_mixed(
    tmp_path: Path,
) -> None:
    log_file = tmp_path / "app.log"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(log_file), str(number)], stdout=subprocess.DEVNULL)
        for number in (1, 2, 3)
    ]
    rotated: list[Path] = []
    while any(writer.poll() is None for writer in writers):
        if log_file.exists() and log_file.stat().st_size > 300_000:
            rotated.append(log_file.rename(tmp_path / f"app.log.{len(rotated)}"))
        time.sleep(0.005)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert len(rotated) > 2
    files = [*rotated, *([log_file] if log_file.exists() else [])]
    lines = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    assert Counter((line["worker"], line["line"]) for line in lines) == Counter(
        dict.fromkeys(((worker, line) for worker in (1, 2, 3) for line in range(400)), 1)
    )
