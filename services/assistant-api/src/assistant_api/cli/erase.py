"""`assistant-api erase-phone`."""

import asyncio
import getpass
import sys
from typing import Annotated
from uuid import UUID

import structlog
import typer

from assistant_api.cli.exits import EXIT_ENVIRONMENT, database_answers, end, settings_of
from assistant_api.settings import EraseSettings
from zerotouch_platform import logs


def erase_phone(
    phone: Annotated[
        str, typer.Argument(metavar="NUMBER", help="The phone number, or - to read it from standard input.")
    ],
    org: Annotated[UUID, typer.Option(metavar="ORG", help="Limit to this organization.")],
) -> None:
    """Erase a patient: delete every appointment of a phone number in one organization, and log that it was done."""
    from assistant_api.appointments import erase
    from assistant_api.telemetry import SERVICE_NAME

    settings = settings_of(EraseSettings)
    logs.set_up(SERVICE_NAME, level="INFO", log_file=settings.log_file)
    number = sys.stdin.readline() if phone == "-" else phone
    try:
        with database_answers("nothing was erased", in_full=False):
            erased = asyncio.run(erase.erase_phone(settings.database_url.get_secret_value(), org, number))
    except (ValueError, erase.UnknownOrganization) as error:
        end(EXIT_ENVIRONMENT, f"nothing was erased: {str(error) or f'there is no organization {org}'}")
    structlog.get_logger().info(
        "patient_erased",
        org_id=str(erased.org_id),
        appointments=erased.appointments,
        phone_hash=erased.phone_hash,
        by=getpass.getuser(),
    )
