"""What a sandbox is started with: its keys, who may turn its dials, and how much the journal keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from vapi_sandbox.dials import Dials
from vapi_sandbox.simulated_call.credential import Credential

DEFAULT_KEY = "sandbox-private-key"
DEFAULT_VAPI_ORG = "5a4db0c5-0000-4000-8000-000000000001"


def _default_keys() -> Mapping[str, str]:
    return MappingProxyType({DEFAULT_KEY: DEFAULT_VAPI_ORG})


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """Everything `create_app` needs.

    `keys` maps an API key to its Vapi org (a UUID): two keys of one org are two writers of the same resources, keys of
    different orgs see nothing of each other. `control_token` guards `/__sandbox`; without one it answers only to
    loopback clients. `dials` is what the sandbox starts with and returns to on reset. `keep_bodies` stores request
    bodies in the journal: switch it off where hundreds of thousands of requests are only counted. `credential` signs
    the webhooks of simulated calls; without one they go out unsigned.
    """

    keys: Mapping[str, str] = field(default_factory=_default_keys)
    control_token: str | None = None
    dials: Dials = field(default_factory=Dials)
    keep_bodies: bool = True
    credential: Credential | None = None
    body_bytes_max: int = 10_000_000
