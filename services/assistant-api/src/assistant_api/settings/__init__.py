"""What the service is told by its environment. Names without prefix; units last.

One module a concern. `Settings` is made of all of them, and has their fields in the order in which the modules stand
here, from the last of its bases to the first: `commands`, the limits, `server`, `calls`, `work`, `topics`.
"""

from typing import Self

from pydantic import model_validator

from assistant_api.settings.calls import CallSettings
from assistant_api.settings.commands import EnvelopeSettings, ErasureSettings, VapiSettings
from assistant_api.settings.server import ServerSettings
from assistant_api.settings.topics import TopicSettings
from assistant_api.settings.work import WorkSettings
from zerotouch_platform.limits.settings import LimitSettings
from zerotouch_platform.settings import SettingProblem


class Settings(
    TopicSettings,
    WorkSettings,
    CallSettings,
    ServerSettings,
    VapiSettings,
    LimitSettings,
    ErasureSettings,
    EnvelopeSettings,
):
    """What `assistant-api run` needs."""

    @property
    def topics(self) -> tuple[str, ...]:
        """All that must be there before anything is sent or read."""
        return (
            self.assistants_topic,
            self.outcomes_topic,
            self.tool_calls_topic,
            self.erasures_topic,
            self.display_names_topic,
            self.vapi_accounts_topic,
        )

    @model_validator(mode="after")
    def _hmac_keys_fit_their_format(self) -> Self:
        if self.vapi_webhook_hmac_keys is not None:
            for key in self.vapi_webhook_hmac_keys.get_secret_value().split(","):
                try:
                    self.vapi_webhook_hmac.secret(key.strip().encode())
                except ValueError as error:
                    raise ValueError(f"VAPI_WEBHOOK_HMAC_KEYS {error}") from None
        return self


def line_of(problem: SettingProblem) -> str:
    """One wrong or missing variable: its name, what is wrong and its value as it may be shown."""
    if problem.variable is None:
        return problem.reason
    if problem.shown is None:
        return f"{problem.variable}: is missing"
    return f"{problem.variable}: {problem.reason} (is {problem.shown})"
