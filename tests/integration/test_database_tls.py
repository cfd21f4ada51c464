"""PostgreSQL behind TLS: what the URL of a service says about it holds, `verify-full` above all."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from devstack.databases import DatabaseUrls
from devstack.kafka_security import Authority
from tool_sync import db
from zerotouch_platform.postgres.pool import close_pool

SSL_REQUEST = bytes.fromhex("0000000804d2162f")


@asynccontextmanager
async def behind_tls(url: str, cert_file: Path, key_file: Path) -> AsyncIterator[str]:
    """`host:port` of a server that speaks TLS as PostgreSQL does, and hands on what it hears to the one of ``url``."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert_file, key_file)
    parts = urlsplit(url)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
                return  # who speaks in plain text gets nothing
            writer.write(b"S")
            await writer.start_tls(context)
            to_server = await asyncio.open_connection(parts.hostname, parts.port)
            await asyncio.gather(pump(reader, to_server[1]), pump(to_server[0], writer))
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def at(url: str, address: str, **options: str) -> str:
    """The same database at another address, with other options."""
    parts = urlsplit(url)
    query = "&".join(f"{name}={value}" for name, value in options.items())
    return parts._replace(netloc=f"{parts.username}:{parts.password}@{address}", query=query).geturl()


async def test_a_pool_works_where_the_authority_and_the_name_are_right(
    tool_sync_db: DatabaseUrls, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    async with behind_tls(tool_sync_db.service, *authority.certificate("database")) as address:
        url = at(tool_sync_db.service, address, sslmode="verify-full", sslrootcert=str(authority.ca_file))
        pool = await db.SESSIONS.pool(url, size_max=2)
        try:
            assert await pool.fetchval("SELECT count(*) FROM events") == 0
        finally:
            await close_pool(pool, seconds_max=2)


@pytest.mark.parametrize(
    ("host", "is_foreign", "refused"),
    [("127.0.0.1", True, "certificate verify failed"), ("127.0.0.2", False, "IP address mismatch")],
)
async def test_nobody_who_stands_between_gets_the_password(
    tool_sync_db: DatabaseUrls, tmp_path: Path, host: str, is_foreign: bool, refused: str
) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    shown = (theirs if is_foreign else ours).certificate("database", host)
    async with behind_tls(tool_sync_db.service, *shown) as address:
        url = at(tool_sync_db.service, address, sslmode="verify-full", sslrootcert=str(ours.ca_file))
        with pytest.raises(ssl.SSLCertVerificationError, match=refused):
            await asyncpg.connect(url, timeout=5)
