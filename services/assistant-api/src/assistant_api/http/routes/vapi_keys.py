"""`/api/organizations/{id}/vapi-key`: a clinic's own account at Vapi (ADR 76). The key goes in, and never comes out."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Request
from opentelemetry.trace import get_current_span
from pydantic import Field, SecretStr, StringConstraints
from starlette.responses import Response

from assistant_api.access_log.entry import plain
from assistant_api.agents.schemas import Body, ResponseBody
from assistant_api.http.access import AccessOf, LoggedRoute
from assistant_api.http.body import parse, read_bytes, written
from assistant_api.http.dependencies import CallerOf, Dependencies, DependenciesOf
from assistant_api.problem import Problem, invalid, not_found
from assistant_api.telemetry import own_traceparent
from assistant_api.vapi import account_rows
from assistant_api.vapi.account_rows import Given
from assistant_api.vapi.ownership import KeyOwner, KeyRefused, NobodyKnows, NotAsked
from zerotouch_contracts.accounts import RequestsPerMinute
from zerotouch_contracts.errors import CATALOGUE, ErrorCode
from zerotouch_contracts.text import Identifier
from zerotouch_platform.auth import Caller, OrgMember
from zerotouch_platform.openapi import Answers, documented
from zerotouch_platform.vapi.envelope import EnvelopeKeysMissing

KEY_CHARACTERS_MAX: Final = 256

router = APIRouter(prefix="/api/organizations/{org_id}/vapi-key", tags=["vapi"], route_class=LoggedRoute)

_CHANGED: Final[Answers] = {
    409: {
        "description": "The clinic has agents, or removals are open, and this is another account; or it is the"
        " platform's own account."
    },
    422: {"description": "The request is not valid, Vapi refuses the key, or its account has nothing that names it."},
    503: {"description": "Vapi cannot be asked now, there is no envelope key, or the service waits for its database."},
}
_PLATFORMS: Final = "this is a key of the platform's own account: a clinic without a key is served with that anyway"
_IN_USE: Final[Answers] = {409: {"description": "The clinic has agents, or removals are open."}}


class OwnAccountGiven(Body):
    """`PUT …/vapi-key`: a private key of the clinic's account."""

    key: Annotated[SecretStr, StringConstraints(min_length=8, max_length=KEY_CHARACTERS_MAX)]
    tool_server_credential_id: Identifier | None = None
    requests_per_minute: Annotated[RequestsPerMinute, Field(strict=True)] | None = None


class OwnAccount(ResponseBody):
    """A clinic's own account, without its key."""

    account: str
    key_fingerprint: str
    tool_server_credential_id: str | None
    requests_per_minute: int | None
    changed_at: datetime
    changed_by: str


@router.put(
    "",
    response_model=OwnAccount,
    responses=_CHANGED,
    openapi_extra=documented(
        OwnAccountGiven,
        {
            "key": "a private key of the clinic's account",
            "toolServerCredentialId": "7d9e1f3a-5c2b-4e8d-a1f0-6b4c8d2e0f13",
            "requestsPerMinute": 600,
        },
    ),
    summary="Give a clinic an account of its own at Vapi, or another key of it",
)
async def replace(
    request: Request, parts: DependenciesOf, caller: CallerOf, access: AccessOf, org_id: UUID
) -> Response:
    """Ask Vapi whose key it is, by one read or two, and store it sealed. From then on the clinic is served with it.

    Another key, rate or credential of the account that the clinic has is taken at any time. Another account is taken
    only while the clinic has no agents and nothing of it is to be deleted at Vapi. Only the platform may, and the
    clinic itself where `VAPI_KEY_BY_CLINIC` allows it.
    """
    _require_may(parts, caller, org_id)
    raw = await read_bytes(request, parts.settings.body_bytes_max)
    body = parse(raw, OwnAccountGiven)
    key = body.key.get_secret_value()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise invalid("the request body is not valid", [{"field": "key", "problem": "must be a key of Vapi's"}])
    async with parts.database.connection() as connection:
        if not await account_rows.is_clinic(connection, org_id):
            raise not_found()
    try:
        envelope = await parts.accounts.envelope.keys()
    except EnvelopeKeysMissing as error:
        raise Problem(503, ErrorCode.VAPI_KEY_SEALED, str(error)) from None
    account = await _account_of(parts, key)
    sealed = envelope.seal(key, org_id, account)
    given = Given(body.tool_server_credential_id, body.requests_per_minute, plain(caller.subject) or "?")
    async with access.writing(parts.database, org_id, account) as connection:
        row = await account_rows.store(connection, sealed, given, own_traceparent(get_current_span()))
    parts.accounts.changed(org_id)
    parts.wake_relay()
    parts.provisioner.wake()
    parts.remover.wake()
    return written(OwnAccount(**row))


@router.get("", response_model=OwnAccount, summary="Show a clinic's own account at Vapi")
async def read(parts: DependenciesOf, caller: CallerOf, org_id: UUID) -> Response:
    """Which account it is, since when and by whom; never the key. 404 where the platform's serves the clinic."""
    _require_may(parts, caller, org_id)
    async with parts.database.tenant(org_id) as connection:
        return written(OwnAccount(**await account_rows.shown(connection, org_id)))


@router.delete("", status_code=204, responses=_IN_USE, summary="Serve a clinic with the platform's account again")
async def delete(parts: DependenciesOf, caller: CallerOf, access: AccessOf, org_id: UUID) -> Response:
    """Forget the clinic's own account and its key, while the clinic has no agents and nothing of it is to be deleted at
    Vapi."""
    _require_may(parts, caller, org_id)
    async with access.writing(parts.database, org_id, org_id) as connection:
        await account_rows.delete(connection, org_id, own_traceparent(get_current_span()))
    parts.accounts.changed(org_id)
    parts.wake_relay()
    return Response(status_code=204)


def _require_may(parts: Dependencies, caller: Caller, org_id: UUID) -> None:
    if not isinstance(caller, OrgMember):
        return
    if caller.org_id != org_id:
        raise not_found()
    if not parts.settings.vapi_key_by_clinic:
        raise Problem(403, ErrorCode.FORBIDDEN, "only the platform may: VAPI_KEY_BY_CLINIC is not set")


async def _account_of(parts: Dependencies, key: str) -> str:
    """The name of the key's account. A problem where it is not known, or where it is the platform's."""
    match await parts.accounts.owner_of(key):
        case KeyOwner(vapi_org):
            account = parts.accounts.own_name(vapi_org)
        case KeyRefused(status):
            detail = f"Vapi answers {status} to this key: {CATALOGUE[ErrorCode.VAPI_KEY_REFUSED].meaning}"
            raise Problem(422, ErrorCode.VAPI_KEY_REFUSED, detail)
        case NobodyKnows():
            detail = (
                "nothing at Vapi says whose key this is: its account has neither an assistant nor a tool, or they name"
                " more than one account. Make an assistant in it first"
            )
            raise Problem(422, ErrorCode.VAPI_ACCOUNT_UNAVAILABLE, detail)
        case NotAsked(code):
            raise Problem(503, code, f"the key cannot be checked now: {CATALOGUE[code].title}; try again")
    # After the other: an account that has just shown something shows it to every key of it.
    match await parts.accounts.owner_of_platform():
        case KeyOwner(platform) if parts.accounts.own_name(platform) == account:
            raise Problem(409, ErrorCode.VAPI_ACCOUNT_UNAVAILABLE, _PLATFORMS)
        case KeyOwner() | NobodyKnows() if account == parts.settings.vapi_account:
            raise Problem(409, ErrorCode.VAPI_ACCOUNT_UNAVAILABLE, _PLATFORMS)
        case KeyOwner() | NobodyKnows():
            return account
        case KeyRefused():
            code = ErrorCode.VAPI_KEY_REFUSED
        case NotAsked(code):
            pass
    raise Problem(
        503, code, f"it cannot be checked that this is not the platform's own account: {CATALOGUE[code].title}"
    )
