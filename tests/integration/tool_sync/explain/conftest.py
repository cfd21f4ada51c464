"""A running log, the HTTP API over it, and histories of one clinic."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from devstack.databases import DatabaseUrls
from devstack.tokens import AUDIENCE, ISSUER, Signer
from tool_sync import db
from tool_sync.http.app import build
from tool_sync.http.state import HttpState
from tool_sync.log import EventLog
from tool_sync.settings import Settings
from zerotouch_platform import telemetry
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.health import Health

from .clinic import Clinic


@pytest.fixture
async def clinic(tool_sync_db: DatabaseUrls, log: EventLog, pool: db.Pool) -> AsyncIterator[Clinic]:
    """A clinic without events."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    signer = Signer(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), public)
    settings = Settings(
        database_url=tool_sync_db.service, kafka_bootstrap_servers="127.0.0.1:9", vapi_base_url="http://127.0.0.1:9",
        vapi_api_key="key", tool_server_url="https://api.example/hook", installation_id=uuid4(),
        jwt_public_key=public, jwt_issuer=ISSUER, jwt_audience=AUDIENCE,
    )  # fmt: skip
    async with pool.acquire() as connection:
        log_id = await db.read_log_id(connection)
    health = Health(check_seconds_max=0.2, starting=None)
    app = build(HttpState(TokenVerifier(settings), health, pool, log_id=log_id), telemetry.off())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://tool-sync") as client:
        yield Clinic(log, pool, client, signer)
