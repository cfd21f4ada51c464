"""What can have happened: every event that the log holds.

Two streams per org. ``org-<id>`` is what arrived from outside and is appended without an expected version.
``toolset-<id>`` is what we did, written only by the holder of the org's lease at the expected version. Two more kinds
belong to no org: ``blueprint-<tool>`` holds the published versions of a tool, ``rollout-<id>`` who should have which.

Events are never edited and never renamed: a new field gets a default, a new meaning gets a new type. Data holds ids,
codes and tool names only, and the one line in which somebody says why a tool was set; never a secret, a prompt or
anything about a patient.
"""

from tool_sync.domain.events.arrived import (
    AssistantDriftSeen,
    AssistantRemoved,
    OrgClosed,
    OrgRegistered,
    OrgTierChanged,
    RequestUnreadable,
    RetryRequested,
    SyncRequested,
    ToolDriftSeen,
    ToolOrdered,
    ToolSettingChanged,
    ToolSettingRemoved,
    TrafficSplitSeen,
)
from tool_sync.domain.events.assistants import (
    AssistantDiverged,
    AssistantLinked,
    AssistantLinkStarted,
    AssistantSynced,
    AssistantSyncFailed,
    DriftDetected,
    OrgSettled,
    Settled,
    ToolFailure,
)
from tool_sync.domain.events.attempts import (
    AttemptEnd,
    SyncAttemptFailed,
)
from tool_sync.domain.events.blueprint import (
    AnsweredContract,
    BlueprintPublished,
    ContractsAnswered,
    ToolHalted,
    ToolResumed,
    VersionWithdrawn,
)
from tool_sync.domain.events.deletions import (
    RetireReason,
    SurplusDeleted,
    SurplusDeleteStarted,
    SurplusFound,
    SurplusSearched,
    SweepStarted,
    ToolDeleted,
    ToolDeleteStarted,
    ToolReinstated,
    ToolRetired,
)
from tool_sync.domain.events.rollout import (
    PlanCounts,
    RolloutAborted,
    RolloutCompleted,
    RolloutExpired,
    RolloutPaused,
    RolloutPlanned,
    RolloutResumed,
    RolloutRolledBack,
    RolloutStage,
    RolloutStageOpened,
    RolloutStarted,
)
from tool_sync.domain.events.tools import (
    ToolRef,
    ToolRegistered,
    ToolRegistrationStarted,
    ToolUpdated,
    ToolUpdateStarted,
    ToolVanished,
    ids_of,
)

__all__ = [
    "AnsweredContract",
    "AssistantDiverged",
    "AssistantDriftSeen",
    "AssistantLinkStarted",
    "AssistantLinked",
    "AssistantRemoved",
    "AssistantSyncFailed",
    "AssistantSynced",
    "AttemptEnd",
    "BlueprintPublished",
    "ContractsAnswered",
    "DriftDetected",
    "Event",
    "FleetEvent",
    "OrgClosed",
    "OrgEvent",
    "OrgRegistered",
    "OrgSettled",
    "OrgTierChanged",
    "PlanCounts",
    "RequestUnreadable",
    "RetireReason",
    "RetryRequested",
    "RolloutAborted",
    "RolloutCompleted",
    "RolloutExpired",
    "RolloutPaused",
    "RolloutPlanned",
    "RolloutResumed",
    "RolloutRolledBack",
    "RolloutStage",
    "RolloutStageOpened",
    "RolloutStarted",
    "Settled",
    "SurplusDeleteStarted",
    "SurplusDeleted",
    "SurplusFound",
    "SurplusSearched",
    "SweepStarted",
    "SyncAttemptFailed",
    "SyncRequested",
    "ToolDeleteStarted",
    "ToolDeleted",
    "ToolDriftSeen",
    "ToolFailure",
    "ToolHalted",
    "ToolOrdered",
    "ToolRef",
    "ToolRegistered",
    "ToolRegistrationStarted",
    "ToolReinstated",
    "ToolResumed",
    "ToolRetired",
    "ToolSettingChanged",
    "ToolSettingRemoved",
    "ToolUpdateStarted",
    "ToolUpdated",
    "ToolVanished",
    "ToolsetEvent",
    "TrafficSplitSeen",
    "VersionWithdrawn",
    "ids_of",
]

OrgEvent = (
    OrgRegistered
    | OrgTierChanged
    | ToolSettingChanged
    | ToolSettingRemoved
    | ToolOrdered
    | RetryRequested
    | SyncRequested
    | RequestUnreadable
    | TrafficSplitSeen
    | AssistantDriftSeen
    | ToolDriftSeen
    | AssistantRemoved
    | OrgClosed
)
ToolsetEvent = (
    ToolRegistrationStarted
    | ToolRegistered
    | ToolUpdateStarted
    | ToolUpdated
    | ToolVanished
    | ToolRetired
    | ToolReinstated
    | ToolDeleteStarted
    | ToolDeleted
    | SurplusFound
    | SurplusSearched
    | SweepStarted
    | SurplusDeleteStarted
    | SurplusDeleted
    | AssistantLinkStarted
    | AssistantLinked
    | SyncAttemptFailed
    | AssistantSynced
    | AssistantSyncFailed
    | AssistantDiverged
    | DriftDetected
    | OrgSettled
)
FleetEvent = (
    BlueprintPublished
    | ContractsAnswered
    | VersionWithdrawn
    | ToolHalted
    | ToolResumed
    | RolloutPlanned
    | RolloutStarted
    | RolloutStageOpened
    | RolloutPaused
    | RolloutResumed
    | RolloutCompleted
    | RolloutAborted
    | RolloutExpired
    | RolloutRolledBack
)
Event = OrgEvent | ToolsetEvent | FleetEvent
