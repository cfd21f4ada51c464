"""``tool-sync support-bundle``: one file about a clinic that may be sent to another team."""

import io
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from tool_sync.cli.ending import end_connected
from tool_sync.cli.exits import fail
from tool_sync.cli.options import DatabaseUrl, OrgArgument
from tool_sync.cli.output import print_line, print_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tool_sync.db import Connection
    from zerotouch_platform.settings import SettingShown

METRICS_SECONDS = 5.0


def support_bundle(
    org_id: OrgArgument,
    database_url: DatabaseUrl,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to this file; it must not exist. Default: a new name.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(envvar="TOOL_SYNC_URL", metavar="URL", help="Ask the tool-sync there for its metrics.")
    ] = None,
) -> None:
    """Write all that is known of an organization's trouble into a zip file, for another team.

    It holds no names, secrets, reasons, and none of Vapi's words that may be
    personal; it says what was left out. Only its owner can read the file.
    """
    end_connected(database_url, _write, org_id, out, url)


async def _write(connection: "Connection", org_id: UUID, out: Path | None, url: str | None) -> None:
    from tool_sync.admin.support_bundle import make_bundle
    from tool_sync.cli.exits import NotFound
    from tool_sync.queries.organizations import is_known

    now = datetime.now(UTC)
    path = out or Path(f"support-{org_id}-{now:%Y%m%dT%H%M%SZ}.zip")
    metrics = await _metrics(url)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        if not await is_known(connection, org_id):
            raise NotFound(f"there is no organization {org_id}")
        bundle = await make_bundle(connection, org_id, settings=_settings(), metrics=metrics, now=now)
    try:
        _store(path, _zipped(bundle.files, now))
    except FileExistsError:
        fail(f"{path} is there already; nothing was written")
    except OSError as error:
        fail(f"{path} cannot be written: {error}")
    print_line(f"{path}: {len(bundle.files)} files about {org_id}; look at it before you send it")
    print_lines(f"left out: {what}" for what in bundle.left_out)


def _zipped(files: "Mapping[str, bytes]", now: datetime) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, now.timetuple()[:6])
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            archive.writestr(entry, content)
    return whole.getvalue()


def _store(path: Path, content: bytes) -> None:
    """As a new file of its owner's alone; nothing is left of one that could not be written whole."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            path.unlink()
            raise


def _settings() -> "tuple[SettingShown, ...] | None":
    from tool_sync.settings import Settings
    from zerotouch_platform.settings import SettingsInvalid, load, settings_shown

    try:
        return settings_shown(load(Settings))
    except SettingsInvalid:
        return None


async def _metrics(url: str | None) -> str | None:
    """The page of whoever answers there; None where nobody does in time, or says that it is not so."""
    import httpx

    if url is None:
        return None
    try:
        async with httpx.AsyncClient(timeout=METRICS_SECONDS, trust_env=False) as client:
            answer = await client.get(f"{url.rstrip('/')}/metrics")
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    return answer.text if answer.status_code == httpx.codes.OK else None
