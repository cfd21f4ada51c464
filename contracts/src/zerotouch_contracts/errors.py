"""The error catalogue: one code for one kind of trouble; the same in events, problem bodies, logs, spans and CLI."""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class ErrorCode(StrEnum):
    """The codes. A code never changes its meaning and is never used again."""

    VAPI_UNREACHABLE = "TS-101"
    VAPI_SERVER_ERROR = "TS-102"
    VAPI_RATE_LIMITED = "TS-103"
    VAPI_ANSWER_UNKNOWN = "TS-104"
    VAPI_ANSWER_INVALID = "TS-105"
    VAPI_CONFLICT = "TS-106"
    SEND_WINDOW_MISSED = "TS-107"
    ASSISTANT_BEING_RELEASED = "TS-108"
    CALL_REFUSED = "TS-109"
    VAPI_KEY_REFUSED = "TS-201"
    VAPI_PAYMENT_REQUIRED = "TS-202"
    VAPI_KEY_SEALED = "TS-203"
    VAPI_ACCOUNT_UNKNOWN = "TS-204"
    TOOL_REFUSED = "TS-301"
    ASSISTANT_REFUSED = "TS-302"
    ASSISTANT_MISSING = "TS-303"
    ASSISTANT_WITHOUT_MODEL = "TS-304"
    ASSISTANT_OUTDATED = "TS-305"
    TOOL_IN_USE = "TS-306"
    TOOL_SHADOWED = "TS-307"
    TOOL_ID_DANGLING = "TS-308"
    TOOL_CALLS_NOT_SENT = "TS-309"
    TOOL_PIN_NOT_ANSWERED = "TS-310"
    TRAFFIC_WITHOUT_TOOL = "TS-311"
    ASSISTANT_OF_ANOTHER = "TS-312"
    TOOL_OF_ANOTHER_CLINIC = "TS-313"
    ASSISTANT_TOO_LARGE = "TS-314"
    REQUEST_UNREADABLE = "TS-401"
    ASSISTANT_REMOVED = "TS-402"
    ORGANIZATION_CLOSED = "TS-403"
    TOOLS_SWITCHED_OFF = "TS-501"
    TIER_WITHOUT_TOOLS = "TS-502"
    NO_TOOL_ORDERED = "TS-503"
    TOOLS_HALTED = "TS-504"
    INVALID_REQUEST = "TS-901"
    UNAUTHENTICATED = "TS-902"
    FORBIDDEN = "TS-903"
    NOT_FOUND = "TS-904"
    BODY_TOO_LARGE = "TS-905"
    IDEMPOTENCY_MISMATCH = "TS-906"
    IDEMPOTENCY_IN_PROGRESS = "TS-907"
    ASSISTANT_ID_UNAVAILABLE = "TS-908"
    ALREADY_EXISTS = "TS-909"
    NOT_READY = "TS-910"
    VAPI_ACCOUNT_UNAVAILABLE = "TS-911"
    LIMIT_REACHED = "TS-920"
    AGENTS_LIMIT = "TS-921"
    INTERNAL = "TS-999"


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """What a code means, whether it mends itself, who acts and what they do."""

    code: ErrorCode
    title: str
    meaning: str
    retryable: bool
    who_acts: str
    what_to_do: str


_ENTRIES: Final = (
    ErrorEntry(ErrorCode.VAPI_UNREACHABLE, "Vapi unreachable",
        "No connection to Vapi could be made, so nothing was sent.",
        True, "nobody", "It is retried: 1 s doubling to 5 min. If it lasts, check the network and Vapi's status page."),
    ErrorEntry(ErrorCode.VAPI_SERVER_ERROR, "Vapi server error",
        "Vapi answered a read with a 5xx status.",
        True, "nobody", "It is retried. If it lasts, check Vapi's status page."),
    ErrorEntry(ErrorCode.VAPI_RATE_LIMITED, "Vapi rate limit",
        "Vapi answered 429: the credential's requests of this minute are used up.",
        True, "nobody", "It is retried in the next minute. If it happens often, ask Vapi for a higher limit."),
    ErrorEntry(ErrorCode.VAPI_ANSWER_UNKNOWN, "answer unknown",
        "A write was sent, but its answer was lost, late or a 5xx: Vapi may or may not have carried it out.",
        True, "nobody", "After the settle time tool-sync asks Vapi what is there, and adopts it or writes again."),
    ErrorEntry(ErrorCode.VAPI_ANSWER_INVALID, "answer invalid",
        "Vapi's answer was not what the request asked for, or could not be read.",
        True, "nobody", "It is retried. If it lasts, Vapi's API has changed: tell the developers."),
    ErrorEntry(ErrorCode.VAPI_CONFLICT, "conflict at Vapi",
        "Vapi answered 409: another write to the same resource was under way.",
        True, "nobody", "It is retried."),
    ErrorEntry(ErrorCode.SEND_WINDOW_MISSED, "send window missed",
        "Too much time passed between announcing the write in the log and sending it, so nothing was sent.",
        True, "nobody", "It is retried. If it happens often, the process lacks CPU or the database is slow."),
    ErrorEntry(ErrorCode.ASSISTANT_BEING_RELEASED, "assistant being released",
        "The Vapi assistant belonged to another agent until just now; what that agent left on it is being removed.",
        True, "nobody", "It is retried until that is done, usually within a minute."),
    ErrorEntry(ErrorCode.CALL_REFUSED, "call refused",
        "Vapi refuses to delete the phone call of an erased patient.",
        True, "platform operators", "Look for the call at Vapi, and delete it there."),
    ErrorEntry(ErrorCode.VAPI_KEY_REFUSED, "Vapi key refused",
        "Vapi answered 401 or 403: the API key is wrong, revoked or not allowed to do this.",
        True, "platform operator", "Set a working key; open work goes on by itself."),
    ErrorEntry(ErrorCode.VAPI_PAYMENT_REQUIRED, "Vapi payment required",
        "Vapi answered 402: the account is out of credit or over its limit.",
        True, "platform operator", "Settle the account at Vapi; open work goes on by itself."),
    ErrorEntry(ErrorCode.VAPI_KEY_SEALED, "Vapi key cannot be opened",
        "The clinic has a Vapi account of its own, and its sealed key cannot be opened here, so nothing was sent.",
        True, "platform operator",
        "Give VAPI_KEY_ENVELOPE_KEYS the key that it was sealed with, or store the clinic's key again; open work goes "
        "on by itself."),
    ErrorEntry(ErrorCode.VAPI_ACCOUNT_UNKNOWN, "Vapi account not known yet",
        "The clinic's newest save is in another Vapi account than is known of the clinic, so nothing was sent.",
        True, "nobody",
        "It goes on when the clinic's record of vapi-accounts.v1 is read. If it lasts, see what /readyz says of that "
        "topic."),
    ErrorEntry(ErrorCode.TOOL_REFUSED, "tool refused",
        "Vapi refused the tool's definition (4xx).",
        False, "developers", "Correct the tool's file and ship it: another definition is tried by itself."),
    ErrorEntry(ErrorCode.ASSISTANT_REFUSED, "assistant refused",
        "Vapi refused the assistant (4xx).",
        False, "clinic", "Correct what Vapi names in the message and save the assistant again."),
    ErrorEntry(ErrorCode.ASSISTANT_MISSING, "assistant missing at Vapi",
        "The assistant no longer exists at Vapi: somebody deleted it there.",
        False, "clinic", "Save the assistant again; a new one is made."),
    ErrorEntry(ErrorCode.ASSISTANT_WITHOUT_MODEL, "assistant without a model",
        "The assistant at Vapi has no model, so there is nothing to link tools to.",
        False, "clinic", "Choose a model for the assistant and save it."),
    ErrorEntry(ErrorCode.ASSISTANT_OUTDATED, "assistant outdated at Vapi",
        "Vapi kept showing an older version of the assistant than the newest save.",
        False, "clinic", "Save the assistant again."),
    ErrorEntry(ErrorCode.TOOL_IN_USE, "tool still in use",
        "A tool that is no longer wanted is still linked or pinned by an assistant at Vapi, so it is kept.",
        True, "platform operator", "Nothing: it is checked every hour. Unlink it at Vapi to have it deleted."),
    ErrorEntry(ErrorCode.TOOL_SHADOWED, "linked, not usable: another tool of the same name",
        "The assistant has another tool with the same function name, and Vapi does not say which of the two it calls.",
        False, "clinic", "Remove the other tool from the assistant at Vapi; tool-sync checks again by itself."),
    ErrorEntry(ErrorCode.TOOL_ID_DANGLING, "linked, not usable: a tool that does not exist",
        "The assistant names a tool that Vapi no longer has, which makes its phone calls fail.",
        False, "clinic", "Remove its id from the assistant at Vapi; tool-sync checks again by itself."),
    ErrorEntry(ErrorCode.TOOL_CALLS_NOT_SENT, "linked, not usable: tool calls are not sent",
        "The assistant's serverMessages leave out tool-calls, so no tool call reaches its server.",
        False, "clinic", "Add tool-calls to serverMessages at Vapi; tool-sync checks again by itself."),
    ErrorEntry(ErrorCode.TOOL_PIN_NOT_ANSWERED, "linked, not usable: pinned to an old version",
        "The assistant pins a version of the tool whose calls are no longer answered.",
        False, "clinic", "Remove the pin from toolRefs at Vapi; tool-sync checks again by itself."),
    ErrorEntry(ErrorCode.TRAFFIC_WITHOUT_TOOL, "linked, not live: a traffic split without the tool",
        "A traffic split sends callers to versions of the assistant that do not have the tool.",
        False, "clinic", "Publish a split at Vapi whose versions have the tool; tool-sync checks again by itself."),
    ErrorEntry(ErrorCode.ASSISTANT_OF_ANOTHER, "assistant of another clinic",
        "The assistant's metadata says that it belongs to another organization or installation; nothing was linked.",
        False, "platform operator", "Find out whose it is, and correct the agent that names it; then save it."),
    ErrorEntry(ErrorCode.TOOL_OF_ANOTHER_CLINIC, "tool of another clinic",
        "The assistant still links a tool of another clinic, or one of its own clinic that the log does not know.",
        False, "platform operator", "Remove its id from the assistant at Vapi; tool-sync checks again by itself."),
    ErrorEntry(ErrorCode.ASSISTANT_TOO_LARGE, "assistant too large",
        "The assistant's document at Vapi is larger than the services read.",
        False, "clinic", "Shorten its prompts or its inline tools, and save it again."),
    ErrorEntry(ErrorCode.REQUEST_UNREADABLE, "request unreadable",
        "The message of this save could not be read. Its bytes are kept as a dead letter.",
        False, "developers", "Look at the dead letter, correct the producer, then sync the assistant."),
    ErrorEntry(ErrorCode.ASSISTANT_REMOVED, "assistant removed",
        "The assistant was deleted before its tools were synced.",
        False, "nobody", "Nothing: the assistant is gone."),
    ErrorEntry(ErrorCode.ORGANIZATION_CLOSED, "organization closed",
        "The organization was deleted before the tools were synced.",
        False, "nobody", "Nothing: the organization is gone."),
    ErrorEntry(ErrorCode.TOOLS_SWITCHED_OFF, "no tools: switched off",
        "A setting switched the clinic's tools off, so the assistant has none and takes no bookings.",
        False, "platform operator", "Switch them on again with `tool-sync tool enable`, if the clinic wants them."),
    ErrorEntry(ErrorCode.TIER_WITHOUT_TOOLS, "no tools: not in this tier",
        "No tool belongs to the clinic's tier, so the assistant has none and takes no bookings.",
        False, "platform operator", "Give the clinic a tier with tools, if it should have them."),
    ErrorEntry(ErrorCode.NO_TOOL_ORDERED, "no tools: none is ordered",
        "No tool that is answered is ordered for the clinic, so the assistant has none and takes no bookings.",
        False, "platform operator",
        "Order a version: `tool-sync rollout plan TOOL@V`, then `tool-sync rollout apply`."),
    ErrorEntry(ErrorCode.TOOLS_HALTED, "no tools: halted for every clinic",
        "An operator halted the tools for every clinic, so the assistant has none and takes no bookings.",
        False, "platform operator", "Nothing until the cause is mended; then `tool-sync blueprint resume TOOL`."),
    ErrorEntry(ErrorCode.INVALID_REQUEST, "invalid request",
        "The request is not valid.",
        False, "caller", "Correct what the problem document lists."),
    ErrorEntry(ErrorCode.UNAUTHENTICATED, "not authenticated",
        "The bearer token is missing, wrong or expired.",
        False, "caller", "Send a valid token."),
    ErrorEntry(ErrorCode.FORBIDDEN, "not allowed",
        "The token's role may not do this.",
        False, "caller", "Use a token with the role that the route names."),
    ErrorEntry(ErrorCode.NOT_FOUND, "not found",
        "There is no such resource for this caller.",
        False, "caller", "Check the id."),
    ErrorEntry(ErrorCode.BODY_TOO_LARGE, "body too large",
        "The request body is over 64 KiB.",
        False, "caller", "Send less."),
    ErrorEntry(ErrorCode.IDEMPOTENCY_MISMATCH, "idempotency key used before",
        "The Idempotency-Key was used with another request.",
        False, "caller", "Use a new key for a new request."),
    ErrorEntry(ErrorCode.IDEMPOTENCY_IN_PROGRESS, "idempotent request in progress",
        "The first request with this Idempotency-Key has not been answered yet.",
        True, "caller", "Ask again in a moment, with the same key."),
    ErrorEntry(ErrorCode.ASSISTANT_ID_UNAVAILABLE, "assistant id not available",
        "The Vapi assistant id cannot be used for this agent.",
        False, "caller", "Leave it out to have a new assistant made, or ask the platform operator."),
    ErrorEntry(ErrorCode.ALREADY_EXISTS, "already exists",
        "A resource with this id exists.",
        False, "caller", "Use another id, or PATCH the one that exists."),
    ErrorEntry(ErrorCode.NOT_READY, "not ready",
        "The service is waiting for its database or for Kafka.",
        True, "platform operator", "See the reasons in /readyz."),
    ErrorEntry(ErrorCode.VAPI_ACCOUNT_UNAVAILABLE, "Vapi account unavailable",
        "The clinic cannot have this Vapi account, or lose its own, as things are now; the message says why.",
        False, "caller", "Do what the message says, and repeat the request."),
    ErrorEntry(ErrorCode.LIMIT_REACHED, "too many at a time",
        "More was asked than one token, clinic or address may; others are served meanwhile.",
        True, "caller", "Ask again after the seconds of Retry-After. RateLimit-Policy says which limit it is."),
    ErrorEntry(ErrorCode.AGENTS_LIMIT, "clinic has all its agents",
        "The clinic has as many agents as one clinic may have.",
        False, "platform operator", "Delete agents that nobody needs, or raise AGENTS_PER_ORG_MAX."),
    ErrorEntry(ErrorCode.INTERNAL, "internal error",
        "A bug in Zerotouch.",
        True, "developers", "Look up the trace id in the service's log."),
)  # fmt: skip

CATALOGUE: Final = MappingProxyType({entry.code: entry for entry in _ENTRIES})
"""Every code and its entry."""


def entry_of(code: str | None) -> ErrorEntry | None:
    """The entry of a code as it is stored; None where there is no code, or one of a newer release."""
    return next((entry for entry in _ENTRIES if entry.code == code), None)
