"""Objects that stand in lists and nowhere else, in whatever form: one of many that a client cannot read."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from vapi_sandbox.clock import floor_ms, parse_iso_us
from vapi_sandbox.javascript import to_json
from vapi_sandbox.records import Kind
from vapi_sandbox.store import Window


class Planted(BaseModel):
    """One object of the lists of a kind, before all others; it counts towards their limit.

    `vapi_org` is the org whose lists show it (null: every org's). With `created_at` it shows only in lists whose
    window holds that time, without it in each. `object` is shown as it is: without an id, no object at all, or null.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    object: Any = None
    vapi_org: str | None = None
    created_at: str | None = None

    @field_validator("created_at")
    @classmethod
    def _time(cls, created_at: str | None) -> str | None:
        if created_at is not None and parse_iso_us(created_at) is None:
            raise ValueError("created_at must be an ISO 8601 date-time")
        return created_at

    @property
    def body(self) -> bytes:
        """Return it as it stands in the list."""
        return to_json(self.object)

    def shows(self, kind: Kind, vapi_org: str, window: Window) -> bool:
        """Say whether a list of this kind, org and window shows it."""
        if self.kind != kind or self.vapi_org not in (None, vapi_org):
            return False
        moment_us = None if self.created_at is None else parse_iso_us(self.created_at)
        return moment_us is None or window.created_from <= floor_ms(moment_us) < window.created_until
