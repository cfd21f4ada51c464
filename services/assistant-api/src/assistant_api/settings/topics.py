"""Kafka: what is sent and read, and how patiently."""

from assistant_api.settings.types import Count, Part, Seconds
from zerotouch_contracts.topics import (
    ASSISTANTS,
    BLUEPRINT,
    CONTRACTS,
    DISPLAY_NAMES,
    OUTCOMES,
    TOOL_CALLS,
    VAPI_ACCOUNTS,
)


class TopicSettings(Part):
    """The relay, the consumers and their topics."""

    relay_page_rows: Count = 500
    """Messages of the outbox that are sent at once."""
    relay_send_timeout_seconds: Seconds = 10
    """The longest that one send waits for the broker."""
    relay_candidate_seconds: Seconds = 0.5
    """Between two tries of a replica to lead the relay."""
    consumer_group: str = "assistant-api"
    """The consumer group; one for an installation."""
    assistants_topic: str = ASSISTANTS.name
    """The topic of saves."""
    outcomes_topic: str = OUTCOMES.name
    """The topic of outcomes."""
    tool_calls_topic: str = TOOL_CALLS.name
    """The topic of tool calls that were answered."""
    contracts_topic: str = CONTRACTS.name
    """The topic on which assistant-api says which contracts it answers."""
    blueprint_topic: str = BLUEPRINT.name
    """The topic of published versions of tools."""
    display_names_topic: str = DISPLAY_NAMES.name
    """The topic of what clinics and agents are called."""
    vapi_accounts_topic: str = VAPI_ACCOUNTS.name
    """The topic of which clinics have an account of their own at Vapi."""
    name_check_hours: Count = 6
    """Between two looks whether the topics of names and of accounts say what the rows say."""
    outcomes_batch_records: Count = 500
    """Outcomes that are taken in at once."""
    reconnect_seconds_max: Seconds = 5
    """The longest wait before Kafka is asked for again."""
    stop_seconds: Seconds = 2
    """The longest that a loop gets to end."""
