"""What can have happened: every event that the log holds.

Two streams per org. ``org-<id>`` is what arrived from outside and is appended without an expected version.
``toolset-<id>`` is what we did, written only by the holder of the org's lease at the expected version. A third kind,
``blueprint-<tool>``, holds the published versions of a tool's definition and belongs to no org.

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
    BlueprintPublished,
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
from tool_sync.domain.events.tools import (
    ToolRef,
    ToolRegistered,
    ToolRegistrationStarted,
    ToolUpdated,
    ToolUpdateStarted,
    ToolVanished,
)

__all__ = [
    "AssistantDiverged",
    "AssistantDriftSeen",
    "AssistantLinkStarted",
    "AssistantLinked",
    "AssistantRemoved",
    "AssistantSyncFailed",
    "AssistantSynced",
    "AttemptEnd",
    "BlueprintEvent",
    "BlueprintPublished",
    "DriftDetected",
    "Event",
    "OrgClosed",
    "OrgEvent",
    "OrgRegistered",
    "OrgSettled",
    "OrgTierChanged",
    "RequestUnreadable",
    "RetireReason",
    "RetryRequested",
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
    "ToolRef",
    "ToolRegistered",
    "ToolRegistrationStarted",
    "ToolReinstated",
    "ToolRetired",
    "ToolSettingChanged",
    "ToolSettingRemoved",
    "ToolUpdateStarted",
    "ToolUpdated",
    "ToolVanished",
    "ToolsetEvent",
    "TrafficSplitSeen",
]

OrgEvent = (
    OrgRegistered
    | OrgTierChanged
    | ToolSettingChanged
    | ToolSettingRemoved
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
BlueprintEvent = BlueprintPublished
Event = OrgEvent | ToolsetEvent | BlueprintEvent
