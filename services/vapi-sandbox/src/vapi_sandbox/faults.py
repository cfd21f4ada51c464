"""Which rule takes a request: the dials in force, the shots each rule has left, and the seeded dice."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from time import monotonic
from typing import Any
from urllib.parse import parse_qsl

from vapi_sandbox.calls import Call, Unreadable, parse_body
from vapi_sandbox.dials import Dials, Latency, Match, Rule, Spread
from vapi_sandbox.records import Facts, tool_facts
from vapi_sandbox.store import Store

_P99_SIGMAS = 2.3263478740408408


@dataclass(slots=True)
class _Shots:
    """How far one rule has come; mutable, and private to the desk."""

    seen: int = 0
    fired: int = 0


class FaultDesk:
    """Holds the dials and hands out rules; `fired` counts them by name since the last reset."""

    def __init__(self, dials: Dials, monotonic: Callable[[], float] = monotonic) -> None:
        self.fired: Counter[str] = Counter()
        self._monotonic = monotonic
        self.turn(dials)

    def turn(self, dials: Dials) -> None:
        """Put new dials in force: every rule starts over, and so do the dice."""
        self.dials = dials
        self._turned_at = self._monotonic()
        self._dice = Random(dials.seed)  # noqa: S311  # a repeatable schedule, not a secret
        # Its own dice: how many lists were read must not change which requests fail.
        self.shuffle = Random(dials.seed)  # noqa: S311
        self._shots = [_Shots() for _ in dials.rules]
        self._keys = frozenset(dials.revoked_keys)

    def adjust(self, dials: Dials) -> None:
        """Put new dials in force, but let unchanged rules go on where they are."""
        if dials.rules != self.dials.rules or dials.seed != self.dials.seed:
            self.turn(dials)
        self.dials = dials
        self._keys = frozenset(dials.revoked_keys)

    def standing(self) -> Dials:
        """The dials in force, without the rules that have ended."""
        return self.dials.model_copy(update={"rules": [rule for rule in self.dials.rules if not self._has_ended(rule)]})

    def _has_ended(self, rule: Rule) -> bool:
        return rule.for_seconds is not None and self._monotonic() - self._turned_at >= rule.for_seconds

    def revoke(self, key: str) -> None:
        """Add a key to `revoked_keys`."""
        self.adjust(self.dials.model_copy(update={"revoked_keys": [*self.dials.revoked_keys, key]}))

    def is_revoked(self, key: str) -> bool:
        """Say whether a key was revoked."""
        return key in self._keys

    def delay_seconds(self, latency: Latency) -> float:
        """Draw one latency."""
        if not isinstance(latency, Spread):
            return latency / 1000
        sigma = math.log(latency.p99 / latency.p50) / _P99_SIGMAS
        return self._dice.lognormvariate(math.log(latency.p50), sigma) / 1000

    def pick(self, call: Call, store: Store) -> Rule | None:
        """Return the first rule that takes this request, and use up one of its shots."""
        for rule, shots in zip(self.dials.rules, self._shots, strict=True):
            if rule.route not in ("*", call.route.name) or not _matches(rule.match, call, store):
                continue
            if self._has_ended(rule):
                continue
            shots.seen += 1
            if shots.seen <= rule.skip or (rule.times is not None and shots.fired >= rule.times):
                continue
            if rule.probability < 1 and self._dice.random() >= rule.probability:
                continue
            shots.fired += 1
            self.fired[rule_name(rule)] += 1
            return rule
        return None


def rule_name(rule: Rule) -> str:
    """Name a rule for the journal and the counters."""
    return rule.name or f"{rule.route} {rule.action.kind}"


def _matches(match: Match, call: Call, store: Store) -> bool:
    if match.key is not None and match.key != call.key:
        return False
    if match.assistant_id is not None and match.assistant_id != _assistant_id(call):
        return False
    if match.body_contains is not None and match.body_contains.encode() not in call.body:
        return False
    if match.organization_id is None and match.tool_name is None:
        return True
    facts = _tool_facts(call, store)
    return match.organization_id in (None, facts.marker) and match.tool_name in (None, facts.name)


def _assistant_id(call: Call) -> str | None:
    """The assistant of the path; of a request about traffic splits the one that its query or body names."""
    if call.route.kind == "assistant":
        return call.id
    if call.route.kind == "tool":
        return None
    body = parse_body(call) if call.body else {}
    named = None if isinstance(body, Unreadable) else body.get("assistantId")
    return named if isinstance(named, str) else dict(parse_qsl(call.query)).get("assistantId")


def _tool_facts(call: Call, store: Store) -> Facts:
    """What the request says of the tool; where it is silent, what the stored tool says."""
    if call.route.kind != "tool":
        return Facts()
    body: Any = parse_body(call) if call.body else {}
    given = Facts() if isinstance(body, Unreadable) else tool_facts(body)
    stored = store.shelf(call.vapi_org, "tool").get(call.id)
    kept = Facts() if stored is None else stored.facts
    return Facts(name=given.name or kept.name, marker=given.marker or kept.marker)
