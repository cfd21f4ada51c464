"""What is wrong with one answer, for whom it is and whatever it is about."""

import re
from collections.abc import Iterator
from typing import Final

from tests.support import route_needs
from tests.support.asgi import Answer

from .clinic import Clinic
from .probes import SPELLINGS, Caller, Probe
from .requests import NAMES, Form
from .world import World

_VARIES: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}|\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)"
)
_OF_ONE_ANSWER: Final = frozenset({"x-trace-id", "content-length"})


def problems_of(world: World, probe: Probe, answer: Answer) -> Iterator[str]:
    """A wrong status, another's answer given again, and words of a clinic that it is not about."""
    text = text_of(answer)
    if answer.failed is not None or (answer.status >= 500 and probe.form.operation.path != "/readyz"):
        yield f"{answer.status} {answer.failed!r} {text[:300]}"
    lacking = lacks(world, probe.form, probe.caller)
    if lacking is not None:
        if answer.status != (401 if lacking == "token" else 403):
            yield f"{answer.status}, and the token lacks its {lacking}: {text[:300]}"
    elif answer.status in {401, 403}:
        yield f"{answer.status}, and the token is enough: {text[:300]}"
    elif (expected := _expected(probe)) is not None and answer.status not in expected:
        yield f"{answer.status}, and not {sorted(expected)}: {text[:300]}"
    if answer.headers.get("idempotent-replayed") and probe.place.startswith("header"):
        yield f"the answer to another's request is given again: {text[:300]}"
    said = probe.sent.text
    for clinic in world.clinics.all:
        if _may_read(world, probe, clinic):
            continue
        if told := sorted(secret for secret in clinic.secrets if secret in text and secret not in said):
            yield f"tells of {_relation(world, probe, clinic)}: {told}"


def _expected(probe: Probe) -> frozenset[int] | None:
    """The statuses for a token that is enough; None: whatever is no refusal of the token."""
    refusing = {name: clinic for name, clinic in probe.named.items() if NAMES[name].refused}
    home = probe.caller.home
    orgs = {clinic.org_id for name, clinic in refusing.items() if NAMES[name].fact == "org"}
    owner = orgs if home is None else {home.org_id}
    if len(owner) == 1:
        strange = [name for name, clinic in refusing.items() if clinic.org_id not in owner]
        if strange:
            spelled = {400, 422} if any(probe.place.endswith(how) for how in SPELLINGS) else set()
            return frozenset[int](spelled).union(*(NAMES[name].refused for name in strange))
    return None


def _may_read(world: World, probe: Probe, clinic: Clinic) -> bool:
    """Whether an answer may be about a clinic. To the platform it is about those that the request names, if any."""
    if lacks(world, probe.form, probe.caller) is not None:
        return False
    if probe.caller.token is None:
        return False
    if probe.caller.home is not None:
        return clinic is probe.caller.home
    named = {one.org_id for name, one in probe.named.items() if NAMES[name].fact in {"org", "call"}}
    return not named or clinic.org_id in named


def lacks(world: World, form: Form, caller: Caller) -> str | None:
    """What the caller's token lacks for an operation, by the need that its document says."""
    if form.name in world.credentials:
        return None if caller.token == world.credentials[form.name] else "token"
    return route_needs.lacking(route_needs.need_said(form.operation.spec), caller.who)


def text_of(answer: Answer) -> str:
    """All that somebody is told."""
    return answer.body.decode(errors="replace") + str(sorted(answer.headers.items()))


def without_ids(world: World, probe: Probe, answer: Answer) -> str:
    """An answer without what differs by nature: ids, times, and what the caller wrote."""
    headers = sorted((name, text) for name, text in answer.headers.items() if name not in _OF_ONE_ANSWER)
    text = f"{answer.status} {answer.body.decode(errors='replace')} {headers}"
    for clinic in probe.named.values():
        for fact in clinic.facts.values():
            text = text.replace(str(fact), "~") if isinstance(fact, str) else text
    return _VARIES.sub("~", text)


def _relation(world: World, probe: Probe, clinic: Clinic) -> str:
    relations = world.clinics.by_relation(probe.caller.home)
    return next((f"the {name} clinic" for name, one in relations.items() if one is clinic), "a clinic")
