"""What an event says, in plain English: one sentence, without its time. Nothing is decided on it.

Events come as they are stored, also of older and newer releases: a field that is not there is left out, and a type that
this release does not know is called by its name.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from tool_sync.queries.plain_words import ability, because, meaning_of

Data = Mapping[str, Any]


def said(type_name: str, data: Data) -> str:
    """The event as a sentence."""
    words = WORDS.get(type_name)
    return f"something happened that this release has no words for ({type_name})" if words is None else words(data)


def _tool(data: Data) -> str:
    return f"the tool for {ability(str(data.get('name', '')))}"


def _version(data: Data) -> str:
    version = data.get("definition_version", data.get("version"))
    return "" if version is None else f", version {version}"


def _why(data: Data) -> str:
    return because(data.get("reason"))


def _at(text: object) -> str:
    try:
        return f"{datetime.fromisoformat(str(text)):%d %b %Y %H:%M:%S} UTC"
    except ValueError:
        return "a time that cannot be read"


def _saved(data: Data) -> str:
    again = "" if data.get("cause", "save") == "save" else f", by {data['cause']}"
    return f"the assistant was saved{again} (revision {data.get('revision')})"


def _on(data: Data) -> str:
    return "on" if data.get("enabled") else "off"


def _tool_drift(data: Data) -> str:
    differs = f" ({', '.join(data['differs'])})" if data.get("differs") else ""
    return f"we saw that somebody has {'deleted' if data.get('gone') else 'changed'} {_tool(data)} at Vapi{differs}"


def _ordered(data: Data) -> str:
    if data.get("halt"):
        return f"{_tool(data)} was stopped for every clinic"
    return f"an order changes what the clinic has of {_tool(data)}"


def _attempt_failed(data: Data) -> str:
    again = f"; we try again at {_at(data['retry_at'])}" if data.get("retry_at") else ""
    ends = {
        "not_sent": "nothing was sent to Vapi",
        "refused": "Vapi refused it",
        "unknown": "Vapi's answer was lost, so it may have happened or not",
        "absent": "we looked at Vapi, and it had not happened",
    }
    end = ends.get(str(data.get("end")), "it failed")
    return f"{end}: {meaning_of(data.get('code'))} ({data.get('code')}){again}"


def _tools(data: Data) -> str:
    return ", ".join(ability(str(tool.get("name"))) for tool in data.get("tools", ()))


def _link_started(data: Data) -> str:
    if tools := _tools(data):
        return f"we asked Vapi to give the assistant its tools ({tools})"
    return "we asked Vapi to take its tools away"


def _synced(data: Data) -> str:
    if tools := _tools(data):
        return f"it is done: callers of the assistant reach {tools}"
    return f"it is done, without any tool: {meaning_of(data.get('reason'))}"


def _sync_failed(data: Data) -> str:
    again = f"; we look again at {_at(data['look_at'])}" if data.get("look_at") else ""
    return f"it ended without success: {meaning_of(data.get('code'))} ({data.get('code')}){again}"


def _rollout(data: Data) -> str:
    return f"rollout {data.get('rollout_id')} of the tool for {ability(str(data.get('tool', '')))}"


def _drift_policy(data: Data) -> str:
    after = "put right" if data.get("policy") == "repair" else "only reported"
    return f"words of {_tool(data)} that somebody changes at Vapi are {after} from now on{_why(data)}"


def _stage_opened(data: Data) -> str:
    by = "by a person" if data.get("cause") == "promoted" else "as its gate says"
    return f"stage {int(data.get('stage', 0)) + 1} of {_rollout(data)} was opened, {by}{_why(data)}"


WORDS: Final[Mapping[str, Callable[[Data], str]]] = {
    "OrgRegistered": lambda data: f"the clinic was created, with the tier {data.get('tier')}",
    "OrgTierChanged": lambda data: f"the clinic was saved, with the tier {data.get('tier')}",
    "OrgClosed": lambda _: "the clinic was deleted",
    "ToolSettingChanged": lambda data: f"{_tool(data)} was switched {_on(data)}{_why(data)}",
    "ToolSettingRemoved": lambda data: f"the setting of {_tool(data)} was taken back{_why(data)}",
    "ToolCustomized": lambda data: f"{_tool(data)} got words of the clinic's own, and is {_on(data)}{_why(data)}",
    "ToolTextLost": lambda data: f"words of the clinic's own for {_tool(data)} are lost, and have to be set again",
    "ChangeWindowSet": lambda data: (
        f"orders change the clinic's tools from {data.get('opens')} to {data.get('closes')} only{_why(data)}"
    ),
    "ChangeWindowRemoved": lambda data: f"orders change the clinic's tools at any time again{_why(data)}",
    "ToolPinned": lambda data: f"{_tool(data)} stays at version {data.get('version')}{_why(data)}",
    "ToolUnpinned": lambda data: f"{_tool(data)} does not stay at one version any more{_why(data)}",
    "ToolPinExpired": lambda data: f"{_tool(data)} does not stay at one version any more, as its time is over",
    "ToolOrdered": _ordered,
    "RetryRequested": lambda data: f"an operator asked for another try{_why(data)}",
    "SyncRequested": _saved,
    "RequestUnreadable": lambda _: "a save came whose message could not be read",
    "TrafficSplitSeen": lambda data: (
        "we saw that every call goes to the newest version of the assistant again"
        if data.get("versions") is None
        else "we saw that Vapi sends calls to several versions of the assistant"
    ),
    "AssistantDriftSeen": lambda data: (
        "we saw that the assistant "
        + ("does not exist at Vapi any more" if data.get("gone") else "is not at Vapi as it was left")
    ),
    "ToolDriftSeen": _tool_drift,
    "ToolDriftEnded": lambda data: f"we saw that {_tool(data)} is at Vapi as it should be again",
    "AssistantRemoved": lambda _: "the assistant was deleted",
    "ToolRegistrationStarted": lambda data: f"we asked Vapi for {_tool(data)}{_version(data)}",
    "ToolRegistered": lambda data: (
        f"we found {_tool(data)} at Vapi, and took it over" if data.get("adopted") else f"Vapi has made {_tool(data)}"
    ),
    "ToolUpdateStarted": lambda data: f"we asked Vapi to change {_tool(data)}{_version(data)}",
    "ToolUpdated": lambda data: f"Vapi has changed {_tool(data)}{_version(data)}",
    "ToolVanished": lambda data: f"{_tool(data)} was not at Vapi any more: somebody had deleted it there",
    "ToolRetired": lambda data: (
        f"{_tool(data)} is not wanted any more, and is deleted after {_at(data.get('delete_at'))}"
    ),
    "ToolReinstated": lambda data: f"{_tool(data)} is wanted again, and stays",
    "ToolDeleteStarted": lambda data: f"we asked Vapi to delete {_tool(data)}",
    "ToolDeleted": lambda data: f"{_tool(data)} is deleted at Vapi",
    "SurplusFound": lambda data: f"we found a second one of {_tool(data)} at Vapi, which nobody needs",
    "SurplusSearched": lambda _: "we asked Vapi for tools that nobody needs",
    "SweepStarted": lambda _: "we asked Vapi who still uses the tools that are to be deleted",
    "SurplusDeleteStarted": lambda data: f"we asked Vapi to delete the second one of {_tool(data)}",
    "SurplusDeleted": lambda data: f"the second one of {_tool(data)} is deleted at Vapi",
    "AssistantLinkStarted": _link_started,
    "AssistantLinked": lambda _: "Vapi has changed the assistant as we asked",
    "SyncAttemptFailed": _attempt_failed,
    "AssistantSynced": _synced,
    "AssistantSyncFailed": _sync_failed,
    "AssistantDiverged": lambda _: (
        "Vapi shows an older version of the assistant; we asked for the newest to be written again"
    ),
    "DriftDetected": lambda _: "somebody else has changed the assistant at Vapi; that stays, and we added our tools",
    "OrgSettled": lambda _: "everything that concerned the whole clinic is done",
    "BlueprintPublished": lambda data: f"{_tool(data)} was published{_version(data)}{_why(data)}",
    "VersionWithdrawn": lambda data: f"a version of {_tool(data)} was withdrawn{_version(data)}{_why(data)}",
    "ToolHalted": lambda data: f"{_tool(data)} was stopped for every clinic{_why(data)}",
    "ToolResumed": lambda data: f"{_tool(data)} is not stopped any more{_why(data)}",
    "DriftPolicySet": _drift_policy,
    "ContractsAnswered": lambda _: "what every assistant-api answers has changed",
    "RolloutPlanned": lambda data: f"{_rollout(data)} was planned",
    "RolloutStarted": lambda data: f"{_rollout(data)} was started{_why(data)}",
    "RolloutStageOpened": _stage_opened,
    "RolloutPaused": lambda data: f"{_rollout(data)} was paused{_why(data)}",
    "RolloutResumed": lambda data: f"{_rollout(data)} was resumed{_why(data)}",
    "RolloutCompleted": lambda data: f"{_rollout(data)} is complete{_why(data)}",
    "RolloutAborted": lambda data: f"{_rollout(data)} was ended as it was{_why(data)}",
    "RolloutExpired": lambda data: f"{_rollout(data)} was ended, as a gate did not open in time",
    "RolloutRolledBack": lambda data: f"{_rollout(data)} was taken back{_why(data)}",
}
"""By the events' types. A test holds that every event is in it."""
