"""`assistant-api erase` and `export-phone`: a patient is erased, stays erased, and hears what there is."""

import json
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Final, NoReturn, TypeVar
from uuid import UUID

import typer

from assistant_api.cli.connected import run_connected
from assistant_api.cli.exits import EXIT_ENVIRONMENT, EXIT_FOUND, end, settings_of
from assistant_api.cli.options import Reason, operator_of
from assistant_api.settings.commands import ErasureSettings
from zerotouch_platform import logs
from zerotouch_platform.lines import print_line, print_whole

if TYPE_CHECKING:
    from assistant_api.erasures.names import Patient
    from zerotouch_platform.postgres.pool import Session

app = typer.Typer(help="Erase patients, and check that they stay erased.", no_args_is_help=True)

COMMAND_SECONDS: Final = 60
T = TypeVar("T")

Number = Annotated[str, typer.Argument(metavar="NUMBER", help="The phone number, or - to read it from standard input.")]
Org = Annotated[UUID, typer.Option(metavar="ORG", help="Limit to this organization.")]


@app.callback()
def _group() -> None:
    """Erase patients, and check that they stay erased."""


@app.command()
def phone(number: Number, org: Org, reason: Reason) -> None:
    """Erase a patient: delete every appointment of a phone number in one organization."""
    from assistant_api.erasures.names import ByPhone

    _erase(ByPhone(_number(number)), org, reason)


@app.command()
def appointment(
    appointment_id: Annotated[UUID, typer.Argument(metavar="ID", help="The appointment.")], org: Org, reason: Reason
) -> None:
    """Erase the patient of an appointment: delete every appointment of its phone number, or where it has none, it."""
    from assistant_api.erasures.names import ByAppointment

    _erase(ByAppointment(appointment_id), org, reason)


@app.command()
def verify(
    reason: Reason, again: Annotated[bool, typer.Option("--again", help="Erase again what is found.")] = False
) -> None:
    """Compare the database with the list of erased patients. Exit status 1: something is there that was erased."""
    from assistant_api.cli.erasing import Verified, verify_erasures
    from zerotouch_platform.kafka.topics import KafkaUnavailable

    who = operator_of(reason)
    settings = _settings()

    async def work(connection: "Session") -> Verified:
        return await verify_erasures(connection, settings, who, again=again)

    try:
        verified = _connected(settings, "nothing was compared", work)
    except KafkaUnavailable as error:
        end(EXIT_ENVIRONMENT, f"nothing was compared: {error}")
    for line in verified.lines():
        print_line(line)
    if verified.not_looked_at:
        raise typer.Exit(EXIT_ENVIRONMENT)
    raise typer.Exit(EXIT_FOUND if verified.left else 0)


def export_phone(number: Number, org: Org, reason: Reason) -> None:
    """Export as JSON what there is of one patient: every appointment of a phone number in one organization."""
    from assistant_api.access_log.entry import Action, Entry
    from assistant_api.erasures.export import export
    from assistant_api.erasures.names import NoNumber, UnknownOrganization

    entry = Entry(operator_of(reason), Action.APPOINTMENTS_EXPORT, org)
    said, settings = _number(number), _settings()

    async def work(connection: "Session") -> dict[str, object]:
        async with connection.transaction():
            return await export(connection, org, said, entry)

    try:
        found = _connected(settings, "nothing was exported", work)
    except (NoNumber, UnknownOrganization) as error:
        _nothing("exported", error, org)
    print_whole(json.dumps(found, ensure_ascii=False, indent=2))


def _erase(patient: "Patient", org: UUID, reason: str) -> None:
    from assistant_api.cli.erasing import erase_patient
    from assistant_api.erasures.names import NoNumber, UnknownAppointment, UnknownOrganization
    from assistant_api.erasures.receipts import Receipt

    who = operator_of(reason)
    settings = _settings()

    async def work(connection: "Session") -> Receipt:
        return await erase_patient(connection, settings, org, patient, who)

    try:
        receipt = _connected(settings, "nothing was erased", work)
    except (NoNumber, UnknownAppointment, UnknownOrganization) as error:
        _nothing("erased", error, org)
    print_whole(receipt.model_dump_json(by_alias=True))


def _number(given: str) -> str:
    return sys.stdin.readline() if given == "-" else given


def _settings() -> ErasureSettings:
    from assistant_api.telemetry import SERVICE_NAME

    settings = settings_of(ErasureSettings)
    # Beside the answer, which programs read.
    logs.set_up(SERVICE_NAME, level="WARNING", log_file=settings.log_file)
    return settings


def _connected(settings: ErasureSettings, otherwise: str, work: Callable[["Session"], Awaitable[T]]) -> T:
    url = settings.database_url.get_secret_value()
    return run_connected(url, work, otherwise=otherwise, command_seconds=COMMAND_SECONDS)


def _nothing(done: str, error: Exception, org: UUID) -> NoReturn:
    from assistant_api.erasures.names import UnknownAppointment

    what = "it has no such appointment" if isinstance(error, UnknownAppointment) else f"there is no organization {org}"
    end(EXIT_ENVIRONMENT, f"nothing was {done}: {str(error) or what}")
