"""The read-modify-write of an assistant: which bytes of Vapi's document the row decides.

The row owns `name`, `firstMessage`, `voice`, `model.provider`, `model.model` and the system message (the clinic's words
and the marked block). A None in the row means: not ours. Everything else is copied from the document just read; so are
`model.toolIds` and `model.toolRefs`, which tool-sync decides. A creation may carry `toolIds`: nobody has read it yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final
from uuid import UUID

from assistant_api.prompt.messages import LEGACY_PROMPT, with_tools
from zerotouch_contracts.canonical import TOOL_LINK_KEYS
from zerotouch_contracts.text import uuid_of

ATTEMPT_KEY: Final = "zerotouch_attempt"
"""In `metadata`: the attempt that made an assistant. Who copies an assistant by hand copies its mark, too, but every
attempt makes one at most, and one that was answered has made it."""
REPLACED_KEY: Final = "zerotouch_replaced"
"""In `metadata`: what stood under the mark's two general keys, which other systems use too, before ours did."""
NOT_THE_ROWS: Final = frozenset({"messages", LEGACY_PROMPT, "tools", *TOOL_LINK_KEYS})
"""Keys of `model` that a row cannot set, whatever somebody wrote into its column."""


@dataclass(frozen=True, slots=True)
class AssistantSpec:
    """What an assistant says and is, as its row has it. ``None``: left as it is at Vapi."""

    name: str
    system_prompt: str | None
    first_message: str | None
    voice: Mapping[str, Any] | None
    model: Mapping[str, Any] | None


class Holder(Enum):
    """Whose an assistant at Vapi is."""

    THIS_AGENT = "this agent"
    SAME_ORGANIZATION = "another agent of the organization"
    NOBODY = "nobody"
    ANOTHER = "another organization or installation, or somebody whose mark cannot be read"


@dataclass(frozen=True, slots=True)
class AgentMarker:
    """Whose an assistant at Vapi is: how a lost creation is found again."""

    installation_id: UUID
    org_id: UUID
    agent_id: str

    def metadata(self) -> dict[str, str]:
        """The `metadata` of an assistant that we make."""
        return {
            "zerotouch_installation": str(self.installation_id),
            "organization_id": str(self.org_id),
            "agent_id": self.agent_id,
        }

    @classmethod
    def of(cls, assistant: Mapping[str, Any]) -> "AgentMarker | None":
        """The mark that an assistant at Vapi carries; None where it carries none."""
        metadata = metadata_of(assistant)
        try:
            installation_id, org_id = (UUID(metadata[key]) for key in ("zerotouch_installation", "organization_id"))
            mark = cls(installation_id, org_id, str(metadata["agent_id"]))
        except (KeyError, ValueError):
            return None
        return mark if mark.fits(assistant) else None

    def fits(self, assistant: Mapping[str, Any]) -> bool:
        """Whether an assistant at Vapi carries exactly this mark."""
        return self.metadata().items() <= _mapping(assistant.get("metadata")).items()

    def holder_of(self, assistant: Mapping[str, Any]) -> Holder:
        """Whose an assistant is by its `metadata`, seen from the agent of this mark.

        A mark is whole with our installation's key: `agent_id` and `organization_id` are anybody's words.
        """
        metadata = assistant.get("metadata")
        if metadata is None:
            return Holder.NOBODY
        if not isinstance(metadata, Mapping):
            return Holder.ANOTHER
        installation_id, org_id, agent_id = (metadata.get(key) for key in self.metadata())
        if installation_id is None:
            return Holder.NOBODY
        if uuid_of(installation_id) != self.installation_id:
            return Holder.ANOTHER
        if org_id is None or agent_id is None:
            return Holder.NOBODY if org_id is None or uuid_of(org_id) == self.org_id else Holder.ANOTHER
        if uuid_of(org_id) != self.org_id:
            return Holder.ANOTHER
        return Holder.THIS_AGENT if agent_id == self.agent_id else Holder.SAME_ORGANIZATION

    def is_named_in(self, assistant: Mapping[str, Any]) -> bool:
        """Whether `metadata` names this organization and agent, whether or not it names an installation."""
        metadata = metadata_of(assistant)
        return uuid_of(metadata.get("organization_id")) == self.org_id and metadata.get("agent_id") == self.agent_id

    def missing_in(self, assistant: Mapping[str, Any]) -> dict[str, Any]:
        """The change that puts this mark beside whatever else is in `metadata`; {} where it is there."""
        if self.fits(assistant):
            return {}
        kept = _mapping(assistant.get("metadata"))
        wanted = {**kept, **self.metadata()}
        if self.holder_of(assistant) is Holder.NOBODY and kept.get("zerotouch_installation") is None:
            replaced = {
                key: kept[key] for key in ("organization_id", "agent_id") if kept.get(key, wanted[key]) != wanted[key]
            }
            wanted |= {REPLACED_KEY: replaced} if replaced else {}
        return {"metadata": wanted}

    def metadata_without(self, assistant: Mapping[str, Any]) -> dict[str, Any]:
        """An assistant's `metadata` without this mark, however it is spelt; a mark of somebody else's stays whole."""
        metadata, holder = _mapping(assistant.get("metadata")), self.holder_of(assistant)
        if holder is Holder.THIS_AGENT:
            replaced = metadata.get(REPLACED_KEY)
            whole = {*self.metadata(), ATTEMPT_KEY, REPLACED_KEY}
            kept = {key: value for key, value in metadata.items() if key not in whole}
            return {**kept, **replaced} if isinstance(replaced, Mapping) else kept
        ours = set[str]()
        if holder is Holder.NOBODY:  # what is left of a mark
            if uuid_of(metadata.get("zerotouch_installation")) is not None:
                ours |= {"zerotouch_installation", ATTEMPT_KEY}
            if uuid_of(metadata.get("organization_id")) == self.org_id:
                ours |= {"organization_id"} | ({"agent_id"} if metadata.get("agent_id") == self.agent_id else set())
        return {key: value for key, value in metadata.items() if key not in ours}


def _mapping(value: object) -> Mapping[str, Any]:
    """What should be an object, as somebody may have written anything there."""
    return value if isinstance(value, Mapping) else {}


def metadata_of(assistant: Mapping[str, Any]) -> dict[str, str]:
    """The text values of an assistant's `metadata`."""
    metadata = _mapping(assistant.get("metadata"))
    return {str(key): value if isinstance(value, str) else repr(value) for key, value in metadata.items()}


def creation(
    spoken: AssistantSpec,
    block: str,
    mark: AgentMarker,
    default_model: Mapping[str, str],
    attempt_id: UUID,
    tool_ids: Sequence[str] = (),
) -> dict[str, Any]:
    """The body of `POST /assistant`; the only one in which this service names tools (ADR 35)."""
    metadata = {**mark.metadata(), ATTEMPT_KEY: str(attempt_id)}
    body = {**changes({}, spoken, block, default_model), "metadata": metadata}
    return {**body, "model": {**body["model"], "toolIds": list(tool_ids)}} if tool_ids else body


def attempt_of(assistant: Mapping[str, Any]) -> UUID | None:
    """The attempt that an assistant's `metadata` names; a copy names the one that made its original."""
    return uuid_of(metadata_of(assistant).get(ATTEMPT_KEY))


def was_made_by(assistant: Mapping[str, Any], attempt_id: UUID) -> bool:
    """Whether this very attempt made an assistant at Vapi."""
    return metadata_of(assistant).get(ATTEMPT_KEY) == str(attempt_id)


def changes(
    current: Mapping[str, Any], spoken: AssistantSpec, block: str, default_model: Mapping[str, str]
) -> dict[str, Any]:
    """The top-level fields that differ from ``current``, whole, as `PATCH /assistant` wants them; {} for none."""
    wanted: dict[str, Any] = {"name": spoken.name, "model": _model(current.get("model"), spoken, block, default_model)}
    if spoken.first_message is not None:
        wanted["firstMessage"] = spoken.first_message
    if spoken.voice is not None:
        wanted["voice"] = dict(spoken.voice)
    return {key: value for key, value in wanted.items() if not _same(current, key, value)}


def _same(current: Mapping[str, Any], key: str, value: object) -> bool:
    if key == "voice":  # Vapi adds defaults to what was sent; they are not a difference
        return _covers(current.get(key), value)
    return key in current and bool(current[key] == value)


def _covers(current: object, wanted: object) -> bool:
    if isinstance(wanted, Mapping) and isinstance(current, Mapping):
        return all(key in current and _covers(current[key], value) for key, value in wanted.items())
    return bool(current == wanted)


def _model(current: object, spoken: AssistantSpec, block: str, default_model: Mapping[str, str]) -> dict[str, Any]:
    model: dict[str, Any] = dict(current) if isinstance(current, Mapping) else dict(default_model)
    if spoken.model is not None:
        model |= {key: value for key, value in spoken.model.items() if key not in NOT_THE_ROWS}
    messages = model.get("messages")
    messages = messages if isinstance(messages, list) else []
    words = _words(model, messages, spoken.system_prompt)
    model["messages"] = with_tools(messages, words, block)
    return model


def _words(model: dict[str, Any], messages: list[Any], system_prompt: str | None) -> str | None:
    """The clinic's words, where the messages do not have them: the row's, else those under the system message's old
    name. Where they become a message, they are taken from there: said twice, they would contradict each other one day.
    """
    legacy = model.get(LEGACY_PROMPT)
    if not isinstance(legacy, str):
        return system_prompt
    has_message = any(isinstance(item, Mapping) and item.get("role") == "system" for item in messages)
    if system_prompt is None and has_message:
        return None
    del model[LEGACY_PROMPT]
    return legacy if system_prompt is None else system_prompt
