"""`make demo`: the whole system on this machine, the walk-through of the README, and what happened on the way.

Progress, timeline and table go to standard error. With `--once` everything is stopped afterwards, and the very last
line, on standard output, is one JSON object.
"""

import asyncio
import json
import signal
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from devstack.first_version import assistant_that_does_not_wait
from devstack.launch import running
from devstack.one_fix import ship_to_every_clinic
from devstack.options import Options, say
from devstack.stack import Stack
from devstack.walkthrough import (
    Arrived,
    Clinic,
    call,
    client,
    console_link,
    history,
    outcomes_of,
    status_when_synced,
)
from zerotouch_contracts.tools import BOOK_CLINIC_APPOINTMENT

AGENT_ID: Final = "test-agent-id"
BOOK: Final = BOOK_CLINIC_APPOINTMENT.name


async def demo(options: Options, *, once: bool) -> int:
    """Run the demo; returns the exit status. Raises ``WalkthroughFailed`` where a step does not end as it should."""
    say("Zerotouch demo: starting everything on this machine")
    async with running(options) as stack:
        summary = await _walk(stack)
        _show_urls(stack, summary)
        summary["console"] = await console_link(stack)
        say(f"The console, signed in (good once, for five minutes{'; it ends with the demo' if once else ''}):")
        say(f"  {summary['console']}")
        if not once:
            say("\nRunning until Ctrl-C.")
            await _until_interrupted()
        say("stopping")
    if once:
        print(json.dumps(summary), flush=True)
    return 0


async def _walk(stack: Stack) -> dict[str, Any]:
    async with client(stack) as http, outcomes_of(stack) as outcomes:
        say(f"\nA clinic saves its first assistant, `{AGENT_ID}`:")
        clinic = await Clinic.create(http, "Demo Clinic")
        saved = await clinic.save_agent(AGENT_ID)
        first = await outcomes.of(saved.request_id)
        _show_outcome("POST /api/agents", first, first.at - saved.sent_at)

        say("\nThe walk-through of the README:")
        await Clinic.create(http, "Test Clinic")
        asked = await clinic.sync(AGENT_ID)
        again = await outcomes.of(asked.request_id)
        _show_outcome("POST /api/assistants/sync", again, again.at - asked.sent_at)
        status = await status_when_synced(http, AGENT_ID)
        say(f"  GET  /api/assistants/{AGENT_ID}/status: {status['message']}")
        _show_timeline(await history(stack, clinic.org_id))
        assistant_id = str(first.outcome.assistant_id)
        booked = await _book(stack, clinic, assistant_id)
        # A real account is not filled with clinics.
        is_sandbox = not stack.options.vapi_live_key
        rollout = await ship_to_every_clinic(stack, http, outcomes, assistant_id) if is_sandbox else None
        return {
            "org_id": str(clinic.org_id),
            "agent_id": AGENT_ID,
            "assistant_id": first.outcome.assistant_id,
            "tools": [tool.name for tool in first.outcome.tools],
            "outcome": type(first.outcome).__name__,
            "seconds_to_outcome": round(first.at - saved.sent_at, 3),
            "seconds_to_outcome_again": round(again.at - asked.sent_at, 3),
            "trace_id": first.trace_id,
            "appointment_id": booked,
            "rollout": None if rollout is None else asdict(rollout),
        }


async def _book(stack: Stack, clinic: Clinic, assistant_id: str) -> str | None:
    """A caller books, and others ask for the same time: what is heard with either version of the tool.

    Returns the appointment's id; None with the real Vapi.
    """
    if stack.options.vapi_live_key:
        say("\nThe real Vapi: call the assistant to book.")
        return None
    day = (datetime.now(UTC) + timedelta(days=7)).date().isoformat()
    wish = {"service": "Check-up", "appointmentDate": day, "appointmentTime": "10:00"}
    say("\nA caller books an appointment, and another one asks for the same time:")
    for name, phone in (("Ada Lovelace", "+49 30 1234567"), ("Grace Hopper", "+49 30 7654321")):
        made = await call(stack, assistant_id, BOOK, {"patientName": name, "patientPhone": phone, **wish})
        say(f"  {BOOK} for {name}: the model hears: {made.heard}")
    say("\nWith version 1 of the tool (`async: true`, BOOKING_DEFINITION_VERSION=1) a third caller asks for that time:")
    async with assistant_that_does_not_wait(stack, clinic.org_id) as assistant:
        patient = {"patientName": "Hedy Lamarr", "patientPhone": "+49 30 2345678"}
        made = await call(stack, assistant, BOOK, {**patient, **wish})
    say(f"  {BOOK} for Hedy Lamarr: the model hears: {made.heard}")
    say("  So it cannot say that the time is taken; the prompt block has it say that the clinic will confirm.")
    say(f"  What it was answered, and never heard: {made.answered}")
    (appointment,) = await clinic.appointments()
    say(f"  GET  /api/appointments: {appointment['start']} {appointment['service']}, {appointment['patientName']}")
    return str(appointment["id"])


def _show_outcome(request: str, arrived: Arrived, seconds: float) -> None:
    outcome = arrived.outcome
    tools = ", ".join(f"{tool.name} ({tool.vapi_tool_id})" for tool in outcome.tools) or "no tools"
    say(f"  {request}: {type(outcome).__name__} on Kafka after {seconds:.3f} s: {tools}")
    say(f"  trace {arrived.trace_id}")


def _show_timeline(events: list[dict[str, Any]]) -> None:
    table = Table(title="What the log says", title_justify="left", show_edge=False, pad_edge=False)
    for column in ("position", "time", "ms", "event", "trace"):
        table.add_column(column, justify="right" if column in ("position", "ms") else "left", no_wrap=True)
    begin = datetime.fromisoformat(events[0]["recorded_at"])
    for event in events:
        at = datetime.fromisoformat(event["recorded_at"])
        since = (at - begin).total_seconds() * 1000
        trace = event.get("trace_id") or ""
        table.add_row(str(event["position"]), at.strftime("%H:%M:%S.%f")[:-3], f"{since:.0f}", event["type"], trace[:8])
    say("")
    Console(stderr=True, width=100).print(table)


def _show_urls(stack: Stack, summary: dict[str, Any]) -> None:
    table = Table(show_header=False, show_edge=False, pad_edge=False)
    for name, where in (
        ("assistant-api", f"{stack.assistant_api_url}/api/docs"),
        ("tool-sync", f"{stack.tool_sync_url}/docs"),
        ("tools of the clinic", f"{stack.tool_sync_url}/v1/orgs/{summary['org_id']}/tools"),
        ("history of the clinic", f"{stack.tool_sync_url}/v1/orgs/{summary['org_id']}/history"),
        ("console, to sign in", f"{stack.tool_sync_url}/console/login"),
        ("Vapi", stack.surroundings.vapi_base_url),
        ("Kafka", stack.bootstrap_servers),
        ("log of both services", str(stack.surroundings.log_file)),
        ("trace", f"{stack.jaeger_ui_url}/trace/{summary['trace_id']}" if stack.jaeger_ui_url else "no Jaeger found"),
    ):
        table.add_row(name, where)
    say("")
    Console(stderr=True, width=140).print(table)
    say("A token for curl: TOKEN=$(make token)")


async def _until_interrupted() -> None:
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted.set)
    await interrupted.wait()
