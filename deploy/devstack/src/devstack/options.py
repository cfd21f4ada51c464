"""How to bring a stack up, and the ports that it takes."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from devstack.errors import NotPossible
from devstack.kafka_security import SecuredKafka
from devstack.ports import free_port, listening

DEMO_PORTS = {"assistant-api": 3001, "tool-sync": 3002, "Vapi sandbox": 3003, "sign-in provider": 3005}


def say(text: str) -> None:
    """A progress line, to standard error: standard output is for answers."""
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Options:
    """How to bring the stack up.

    `fixed_ports`: those of `DEMO_PORTS`, else free ones. `detached`: the processes stay when we end. `partitions`: of
    every topic, None for the contract's number. `run_services` False ends after the migrations. `vapi_live_key`: use
    the real Vapi. `otlp_endpoint`: an OpenTelemetry collector that is there already. `secured_kafka`: the services
    speak TLS to Kafka, each under its own name and with its own rights. `sign_in_provider`: people of the console can
    sign in at one of this machine; never with the real Vapi.
    """

    state_dir: Path = Path(".devstack")
    log_file: Path = Path("logs/app.log")
    fixed_ports: bool = False
    detached: bool = False
    partitions: int | None = None
    run_services: bool = True
    vapi_live_key: str | None = None
    otlp_endpoint: str | None = None
    fsync: bool = True
    secured_kafka: SecuredKafka | None = None
    sign_in_provider: bool = False
    say: Callable[[str], None] = say

    @classmethod
    def from_env(cls, **changes: Any) -> Self:
        """Reads `VAPI=live` with `VAPI_API_KEY`, and `OTEL_EXPORTER_OTLP_ENDPOINT`; raises NotPossible for bad ones."""
        vapi = os.environ.get("VAPI") or "sandbox"
        key = os.environ.get("VAPI_API_KEY")
        if vapi not in ("sandbox", "live"):
            raise NotPossible(f"VAPI={vapi}: expected sandbox or live")
        if vapi == "live" and not key:
            raise NotPossible("VAPI=live needs the private key of a Vapi account in VAPI_API_KEY")
        return cls(
            vapi_live_key=key if vapi == "live" else None,
            otlp_endpoint=os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or None,
            sign_in_provider=vapi != "live",
            **changes,
        )


async def choose_ports(fixed: bool) -> dict[str, int]:
    """Returns a port for each name of `DEMO_PORTS`; raises NotPossible where a fixed one is taken."""
    if not fixed:
        return {name: free_port() for name in DEMO_PORTS}
    for name, port in DEMO_PORTS.items():
        if await listening(port):
            raise NotPossible(f"port {port} is taken, and {name} needs it: stop what listens there and try again")
    return dict(DEMO_PORTS)
