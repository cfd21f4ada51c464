"""What can have happened: every event that the log holds.

Two streams per org. ``org-<id>`` is what arrived from outside and is appended without an expected version.
``toolset-<id>`` is what we did, written only by the holder of the org's lease at the expected version. Two more kinds
belong to no org: ``blueprint-<tool>`` holds the published versions of a tool, ``rollout-<id>`` who should have which.

Events are never edited and never renamed: a new field gets a default, a new meaning gets a new type. Data holds ids,
codes and tool names only, and the one line in which somebody says why a tool was set; never a secret, a prompt or
anything about a patient.

An event with a ``fleet_sequence`` is told on the fleet's topic, under that number of its org or rollout; null: it is
not (from before that topic, or of a release that does not know it). ``cause`` says there why a tool changes.
"""

# ruff: noqa: F403, F405 - every class of these modules is an event, or a part of one

from tool_sync.domain.events.arrived import *
from tool_sync.domain.events.assistants import *
from tool_sync.domain.events.attempts import *
from tool_sync.domain.events.blueprint import *
from tool_sync.domain.events.custom import *
from tool_sync.domain.events.deletions import *
from tool_sync.domain.events.pins import *
from tool_sync.domain.events.rollout import *
from tool_sync.domain.events.tools import *

OrgEvent = (
    OrgRegistered
    | OrgTierChanged
    | ToolSettingChanged
    | ToolSettingRemoved
    | ToolCustomized
    | ToolPinned
    | ToolUnpinned
    | ChangeWindowSet
    | ChangeWindowRemoved
    | ToolOrdered
    | RetryRequested
    | SyncRequested
    | RequestUnreadable
    | TrafficSplitSeen
    | AssistantDriftSeen
    | ToolDriftSeen
    | ToolDriftEnded
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
    | ToolPinExpired
    | ToolTextLost
)
FleetEvent = (
    BlueprintPublished
    | ContractsAnswered
    | VersionWithdrawn
    | ToolHalted
    | DriftPolicySet
    | ToolResumed
    | RolloutPlanned
    | RolloutStarted
    | OrderEvent
)
Event = OrgEvent | ToolsetEvent | FleetEvent
