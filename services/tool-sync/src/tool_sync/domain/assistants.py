"""What a run learns of an assistant from its own events; the projection ``assistants`` folds the same in SQL."""

from dataclasses import replace

from tool_sync.domain import events
from tool_sync.domain.toolset import Assistant


def evolve_assistant(assistant: Assistant, event: events.Event) -> Assistant:
    """The row after an event of the toolset stream that names this assistant; other events change nothing."""
    match event:
        case events.AssistantLinked():
            return replace(
                assistant,
                base_hash=event.base_hash,
                written_hash=event.model_hash,
                linked_revision=event.revision,
                linked=event.tools,
                linked_version=event.vapi_version,
            )
        case events.AssistantSynced():
            return replace(assistant, synced=event.tools, failed=False, code=event.reason)
        case events.AssistantSyncFailed():
            return replace(assistant, synced=event.tools, failed=True, code=event.code)
        case events.AssistantDiverged():
            return replace(assistant, diverged_revision=event.revision)
        case events.DriftDetected():
            return replace(assistant, drift_hash=event.model_hash)
        case _:
            return assistant
