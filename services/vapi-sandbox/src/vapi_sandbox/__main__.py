"""`vapi-sandbox`: the sandbox as a process of its own."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from socket import socket
from typing import Annotated

import typer
import uvicorn
import uvloop

from vapi_sandbox.app import create_app
from vapi_sandbox.dials import Dials, merged, parse_dials
from vapi_sandbox.javascript import to_json
from vapi_sandbox.server import config, listen
from vapi_sandbox.settings import DEFAULT_KEY, DEFAULT_VAPI_ORG, SandboxSettings
from vapi_sandbox.simulated_call.credential import BearerToken, Credential, HmacKey


def run(
    port: Annotated[
        int, typer.Option(help="Listen on this port; 0 takes a free one.", envvar="VAPI_SANDBOX_PORT")
    ] = 3003,
    host: Annotated[str, typer.Option(help="Listen on this address.", envvar="VAPI_SANDBOX_HOST")] = "127.0.0.1",
    key: Annotated[
        list[str] | None,
        typer.Option(help="Accept a Vapi org's key; repeatable.", metavar="KEY=ORG", envvar="VAPI_SANDBOX_KEYS"),
    ] = None,
    control_token: Annotated[
        str | None, typer.Option(help="Require this token for /__sandbox.", envvar="VAPI_SANDBOX_CONTROL_TOKEN")
    ] = None,
    latency_ms: Annotated[float | None, typer.Option(help="Delay every answer this long.")] = None,
    rate_limit_per_minute: Annotated[int | None, typer.Option(help="Limit each Vapi org to this.")] = None,
    dials: Annotated[Path | None, typer.Option(help="Read the dials from this JSON file.", exists=True)] = None,
    no_keep_bodies: Annotated[bool, typer.Option("--no-keep-bodies", help="Journal no request bodies.")] = False,
    webhook_token: Annotated[
        str | None, typer.Option(help="Send this bearer token with webhooks.", envvar="VAPI_SANDBOX_WEBHOOK_TOKEN")
    ] = None,
    webhook_hmac_key: Annotated[
        str | None, typer.Option(help="Sign webhooks with this key instead.", envvar="VAPI_SANDBOX_WEBHOOK_HMAC_KEY")
    ] = None,
) -> None:
    """Serve a stand-in for Vapi's REST API: tools and assistants, with fault dials and a journal."""
    settings = SandboxSettings(
        keys=_keys(key or [f"{DEFAULT_KEY}={DEFAULT_VAPI_ORG}"]),
        control_token=control_token,
        dials=_dials(dials, latency_ms, rate_limit_per_minute),
        keep_bodies=not no_keep_bodies,
        credential=_credential(webhook_token, webhook_hmac_key),
    )
    try:
        sock, base_url = listen(host, port)
    except OSError as error:
        typer.echo(f"vapi-sandbox cannot listen on {host}:{port}: {error.strerror}", err=True)
        raise typer.Exit(1) from error
    server = _Announced(config(create_app(settings)), base_url)
    # A journal of a million small objects without cycles: walking them all at the usual pace costs pauses that the
    # system under test would be blamed for.
    gc.set_threshold(50_000, 20, 100)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve(sockets=[sock]))


class _Announced(uvicorn.Server):
    """Says where it listens once Ctrl-C is its own: what stops it as soon as it has said so stops it as at any time."""

    def __init__(self, config: uvicorn.Config, base_url: str) -> None:
        super().__init__(config)
        self._base_url = base_url

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Of uvicorn's, after it has taken the signals."""
        await super().startup(sockets)
        typer.echo(f"vapi-sandbox listens on {self._base_url}")


def _keys(pairs: list[str]) -> dict[str, str]:
    keys = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    if len(keys) < len(pairs):
        raise typer.BadParameter("each --key is KEY=VAPI_ORG, and each key is given once")
    return keys


def _credential(token: str | None, hmac_key: str | None) -> Credential | None:
    if token and hmac_key:
        raise typer.BadParameter("give either --webhook-token or --webhook-hmac-key")
    if token:
        return BearerToken(token)
    return HmacKey(hmac_key) if hmac_key else None


def _dials(path: Path | None, latency_ms: float | None, rate_limit_per_minute: int | None) -> Dials:
    given = {"latency_ms": latency_ms, "rate_limit_per_minute": rate_limit_per_minute}
    overrides = {name: value for name, value in given.items() if value is not None}
    try:
        return merged(parse_dials(path.read_bytes()) if path else Dials(), to_json(overrides))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def main() -> None:
    """Run the command line."""
    typer.run(run)


if __name__ == "__main__":
    main()
