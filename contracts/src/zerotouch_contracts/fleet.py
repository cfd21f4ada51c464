"""The messages of ``tool-sync.fleet.v1``: what becomes of a clinic's tools, and of the rollouts that change them.

A change of a tool in place is told twice and no third time: announced before it is sent to Vapi, and told when Vapi has
taken it. One that Vapi refuses, or whose answer was lost, is announced again under another ``change_id``. No assistant
is named: what an assistant has is told by its outcomes (:mod:`.events`).

key       the clinic; of ``RolloutStarted`` and ``RolloutEnded`` the rollout
sequence  counts the messages of a key on this topic: 1, 2, 3 …
"""

from typing import Annotated, ClassVar, Final
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from zerotouch_contracts.events import Message, Sequence, ToolName
from zerotouch_contracts.text import Identifier, Storable

TEXT_MAX: Final = 500
STAGES_MAX: Final = 1000

RolloutId = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$")]
Text = Annotated[str, StringConstraints(max_length=TEXT_MAX), Storable]
DefinitionHash = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Version = Annotated[int, Field(ge=0)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z][a-z_]*$")]
"""Open: a reader may meet a newer word than it knows."""
Cause = Word
"""Why a tool changes. Open; now ``rollout``, ``setting``, ``tier``, ``halt``, ``repair`` (somebody changed it at Vapi),
``save`` (an assistant needs it), ``retry``, ``unused`` (the clinic has no assistant left) and ``closed``."""
Change = Word
"""What becomes of a tool, in the words of ``GET /v1/orgs/{org}/changes``. Open; now ``registered``, ``updated`` (its id
stays) and ``reinstated`` (it was to be deleted, and is wanted again)."""

_ROLLOUT_KEYS: Final = UUID("4d0a6a52-8a0f-5c1b-9f3e-6b7a51c2d9e4")


class _OfTool(Message):
    """What the messages about a clinic's tool share. ``rollout``: the order that the change follows, if one."""

    sequence: Sequence
    tool: ToolName
    vapi_account: Identifier = "platform"
    version: Version
    definition_hash: DefinitionHash
    cause: Cause
    rollout: RolloutId | None = None


class _Change(_OfTool):
    """What an announcement and its answer share. ``version_before``: what an update replaces; null elsewhere.

    ``note`` is what the tool's owner says of the version.
    """

    change: Change
    change_id: UUID | None
    version_before: Version | None = None
    definition_hash_before: DefinitionHash | None = None
    note: Text = ""


class ToolChangeAnnounced(_Change):
    """A tool of the clinic is about to be made or changed at Vapi; ``ToolUpdated`` of this ``change_id`` says that it
    was. ``vapi_tool_id`` is null for one that is made."""

    TYPE: ClassVar[str] = "zerotouch.ToolChangeAnnounced.v1"
    vapi_tool_id: Identifier | None = None


class ToolUpdated(_Change):
    """The clinic has the tool as of ``version`` from now on. ``change_id`` is null where nothing was sent for it."""

    TYPE: ClassVar[str] = "zerotouch.ToolUpdated.v1"
    vapi_tool_id: Identifier


class ToolRetired(_OfTool):
    """The clinic has the tool no more; ``version`` is what it had. Vapi's is deleted after ``delete_at``."""

    TYPE: ClassVar[str] = "zerotouch.ToolRetired.v1"
    vapi_tool_id: Identifier
    delete_at: AwareDatetime


class RolloutMessage(BaseModel):
    """What the messages about a rollout share: they are about no clinic."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    TYPE: ClassVar[str]
    rollout_id: RolloutId
    sequence: Sequence
    tool: ToolName


class RolloutStarted(RolloutMessage):
    """Clinics get ``version`` of the tool from now on, stage by stage; null: they lose the tool."""

    TYPE: ClassVar[str] = "zerotouch.RolloutStarted.v1"
    version: Version | None
    stages: Annotated[tuple[Text, ...], Field(max_length=STAGES_MAX)]
    """Their names."""
    reason: Text = ""
    expires_at: AwareDatetime | None = None


class RolloutEnded(RolloutMessage):
    """The rollout goes on no more. One that is over may still be rolled back, which ends it once more."""

    TYPE: ClassVar[str] = "zerotouch.RolloutEnded.v1"
    how: Word
    """Open; now ``completed``, ``aborted``, ``rolled_back`` and ``expired``."""
    cause: Word
    """Open; now ``gate`` (all was seen to be as ordered), ``promoted``, ``operator``, ``seeded`` and ``time``."""
    reason: Text = ""


ClinicToolMessage = ToolChangeAnnounced | ToolUpdated | ToolRetired
FleetMessage = ClinicToolMessage | RolloutStarted | RolloutEnded
CLINIC_TOOL_MESSAGES: Final[tuple[type[ClinicToolMessage], ...]] = (ToolChangeAnnounced, ToolUpdated, ToolRetired)
FLEET_MESSAGES: Final[tuple[type[FleetMessage], ...]] = (*CLINIC_TOOL_MESSAGES, RolloutStarted, RolloutEnded)


def rollout_key(rollout_id: str) -> UUID:
    """Stands for a rollout where a subscriber keeps how far it is by organization."""
    return uuid5(_ROLLOUT_KEYS, rollout_id)
