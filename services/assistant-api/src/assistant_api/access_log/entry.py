"""What a row of the access log holds: who, what, and what came of it. Ids only, never content. Pure."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Literal, Self
from uuid import UUID

from zerotouch_contracts.text import require_storable, uuid_of
from zerotouch_platform.auth import Caller, OrgMember
from zerotouch_platform.text import printable

TEXT_CHARACTERS_MAX: Final = 200
_OBJECT_CHARACTERS_MAX: Final = 128


class Action(StrEnum):
    """What somebody did: the kind of object, and the verb. A closed list; names are kept for ever."""

    ORGANIZATION_CREATE = "organization.create"
    ORGANIZATION_CHANGE = "organization.change"
    ORGANIZATION_DELETE = "organization.delete"
    CALENDAR_REPLACE = "calendar.replace"
    AGENT_CREATE = "agent.create"
    AGENT_CHANGE = "agent.change"
    AGENT_DELETE = "agent.delete"
    AGENT_SYNC = "agent.sync"
    AGENTS_SYNC = "agents.sync"
    APPOINTMENTS_LIST = "appointments.list"
    APPOINTMENTS_ERASE = "appointments.erase"
    """A patient; the object is the erasure."""
    APPOINTMENTS_ERASE_AGAIN = "appointments.erase_again"
    """What a restore had brought back."""
    APPOINTMENTS_VERIFY = "appointments.verify"
    """Whether anything is there that was erased."""
    APPOINTMENTS_EXPORT = "appointments.export"
    """One patient's."""
    TOOL_TRY = "tool.try"
    TOOL_CALL_RECEIVE = "tool_call.receive"
    """One that is nobody's, or of no tool of ours."""
    TOOL_CALL_BOOK = "tool_call.book"
    TOOL_CALL_CANCEL = "tool_call.cancel"
    TOOL_CALL_RESCHEDULE = "tool_call.reschedule"
    TOOL_CALL_REPEAT = "tool_call.repeat"
    """The kept answer was given again."""
    VAPI_MINUTE_LEND = "vapi_minute.lend"
    VAPI_KEY_REPLACE = "vapi_key.replace"
    """A clinic's own; the object is the account."""
    VAPI_KEY_DELETE = "vapi_key.delete"
    VAPI_KEYS_SEAL = "vapi_keys.seal"
    """All of them, with another envelope key."""
    LOST_RECORDS_ACKNOWLEDGE = "lost_records.acknowledge"
    INSTALLATION_RESTORE = "installation.restore"
    TOKEN_REVOKE = "token.revoke"  # noqa: S105 - its name

    @classmethod
    def of_tool(cls, name: str) -> Self:
        """What a call of one of our tools does."""
        return cls(_OF_TOOL[name])


_OF_TOOL: Final = {
    "bookClinicAppointment": "tool_call.book",
    "cancelAppointment": "tool_call.cancel",
    "rescheduleAppointment": "tool_call.reschedule",
}


class Result(StrEnum):
    """What came of it. ``FAILED``: a fault of ours, or of what we need; whether anything was done is not known."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks, in which trace and why. ``scopes`` None: all that the role may.

    ``principal`` is the token's subject, `vapi`, or an operator's login.
    """

    principal: str
    role: Literal["platform", "org", "operator", "vapi", "service"]
    token_id: str | None = None
    scopes: tuple[str, ...] | None = None
    trace_id: str | None = None
    reason: str | None = None

    @classmethod
    def of(cls, caller: Caller, trace_id: str, reason: str | None) -> Self:
        """Who a token is; its words are the signer's, and are cut where they are long."""
        scopes = caller.scopes if isinstance(caller, OrgMember) else None
        named = None if scopes is None else tuple(sorted(scopes))
        token_id = None if caller.token_id is None else plain(caller.token_id)
        return cls(plain(caller.subject) or "?", caller.role, token_id, named, trace_id, reason)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row. ``object_id`` is of the kind that the action names; ``code`` says why it was not done."""

    who: Who
    action: Action
    org_id: UUID | None = None
    object_id: str | None = None
    result: Result = Result.DONE
    code: str | None = None

    def refused(self, code: str) -> "Entry":
        """The same, not done. Of the object only what is a UUID: the rest may be the caller's words."""
        known = uuid_of(self.object_id)
        return replace(self, result=Result.REFUSED, code=code, object_id=None if known is None else str(known))

    def failed(self, code: str) -> "Entry":
        """The same, where nobody knows."""
        return replace(self.refused(code), result=Result.FAILED)

    @property
    def values(self) -> tuple[Any, ...]:
        """As :data:`COLUMNS` has them."""
        who, object_id = self.who, self.object_id
        return (
            self.org_id, who.principal, who.token_id, who.role, None if who.scopes is None else list(who.scopes),
            self.action.value, None if object_id is None else object_id[:_OBJECT_CHARACTERS_MAX], self.result.value,
            self.code, who.trace_id, who.reason,
        )  # fmt: skip


COLUMNS: Final = "org_id, principal, token_id, role, scopes, action, object_id, result, code, trace_id, reason"


def plain(text: str) -> str:
    """A text of whoever signs tokens, as it can be stored and printed in one line."""
    return printable(text[:TEXT_CHARACTERS_MAX])


_LIKE_A_NUMBER: Final = re.compile(r"\d(?:[\s()./-]*\d){8,}")


def reason_problem(reason: str) -> str | None:
    """What is wrong with a reason, or None. It is kept, and so must name no patient; tool-sync's rule, too (ADR 39)."""
    try:
        require_storable(reason)
    except ValueError:
        return "a reason is text"
    if not reason.strip() or len(reason) > TEXT_CHARACTERS_MAX or not reason.isprintable():
        return f"a reason is one line of 1 to {TEXT_CHARACTERS_MAX} characters"
    if any(map(_is_like_an_address, reason.split())) or _LIKE_A_NUMBER.search(reason):
        return "a reason is kept and names nobody: leave phone numbers and e-mail addresses out"
    return None


def _is_like_an_address(word: str) -> bool:
    at = word.find("@", 1)
    return at > 0 and "." in word[at + 2 : -1]
