"""Probes made of one operation: each place that names something × whose it is, cursors, and what nobody documents."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from .clinic import SHARED_AGENT, Clinic, Relation
from .requests import CURSORS, NAMES, Form, Sent
from .world import World

_SURPLUS: Final = ("org_id", "orgId", "org", "organizationId", "organization_id")
SPELLINGS: Final[Mapping[str, Callable[[str], str]]] = {
    "in capitals": str.upper,
    "without hyphens": lambda text: text.replace("-", ""),
    "in braces": lambda text: f"{{{text}}}",
    "as a URN": lambda text: f"urn:uuid:{text}",
}
"""The same id, in letters that a comparison of texts takes for another."""
ALL: Final = "everywhere"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks. ``home``: whose token it is; None for the platform and for nobody."""

    who: str
    token: str | None
    home: Clinic | None


@dataclass(frozen=True, slots=True)
class Probe:
    """One request. ``named``: the clinics whose things it names, by field; ``place`` and ``relation`` say where what is
    named."""

    form: Form
    caller: Caller
    place: str
    relation: Relation
    sent: Sent
    named: Mapping[str, Clinic]

    def __str__(self) -> str:
        return f"{self.form.name} by {self.caller.who}, {self.place or 'names nothing'}: {self.relation}"


def probes_naming(world: World, form: Form, caller: Caller) -> Iterator[Probe]:
    """Each place that can name something × each relation; every other place that has to be filled names one's own."""
    relations = world.clinics.by_relation(caller.home)
    required = frozenset(one.name for one in form.naming if one.required)
    places = {one.name: frozenset({one.name}) for one in form.naming} | {ALL: frozenset(o.name for o in form.naming)}
    if not form.naming or not required:
        yield probe_of(world, form, caller, "", "own", {})
    seen: set[tuple[Relation, frozenset[str]]] = set()
    for place, fields in places.items():
        for relation, clinic in relations.items():
            is_own_again = relation != "own" and clinic is relations["own"]
            if not fields or is_own_again or (relation, fields) in seen:
                continue
            seen.add((relation, fields))
            named = {name: clinic if name in fields else relations["own"] for name in fields | required}
            yield probe_of(world, form, caller, place, relation, named)
    if any(NAMES[one.name].fact == "agent" for one in form.naming):
        named = dict.fromkeys(sorted(required | org_fields(form)), relations["own"])
        agents = {one.name: SHARED_AGENT for one in form.naming if NAMES[one.name].fact == "agent"}
        yield probe_of(world, form, caller, "an id that others have, too", "own", named, more=agents)
    yield from _spelled(world, form, caller, required)


def _spelled(world: World, form: Form, caller: Caller, required: frozenset[str]) -> Iterator[Probe]:
    """Another clinic's id, as nobody writes it; and behind one's own, where a parameter may come twice."""
    relations = world.clinics.by_relation(caller.home)
    foreign = relations["foreign"]
    for one in (one for one in form.naming if one.name in org_fields(form)):
        named = {name: foreign if name == one.name else relations["own"] for name in required | {one.name}}
        for how, spelled in SPELLINGS.items():
            more = {one.name: spelled(foreign.facts["org"])}
            yield probe_of(world, form, caller, f"{one.name} {how}", "foreign", named, more=more)
        if one.place == "query" and caller.home is not None:
            own = probe_of(world, form, caller, "", "own", named | {one.name: relations["own"]})
            twice = replace(own.sent, target=f"{own.sent.target}&{one.name}={foreign.facts['org']}")
            yield replace(own, place=f"{one.name} twice", sent=twice)


def probe_of(
    world: World,
    form: Form,
    caller: Caller,
    place: str,
    relation: Relation,
    named: Mapping[str, Clinic],
    *,
    more: Mapping[str, Any] | None = None,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Probe:
    """A probe whose fields name these clinics' things. ``more``: other values of fields; and undocumented places."""
    facts = {name: clinic.facts[NAMES[name].fact] for name, clinic in named.items()} | dict(more or {})
    reason = {"X-Access-Reason": "because we try"} | dict(headers or {})
    return Probe(form, caller, place, relation, form.filled(facts, query or {}, reason), named)


def with_cursors(world: World, form: Form, caller: Caller, cursors: Iterable[str]) -> Iterator[Probe]:
    """One's own list, gone on with at a place that may be another's."""
    for cursor in (one for one in form.fields if one.name in CURSORS):
        own = world.clinics.by_relation(caller.home)["own"]
        required = {one.name for one in form.naming if one.required}
        for fields in {frozenset(required), frozenset(required | org_fields(form))}:
            for text in cursors:
                named = dict.fromkeys(sorted(fields), own)
                yield probe_of(world, form, caller, f"cursor {cursor.name}", "own", named, more={cursor.name: text})


def with_surplus(world: World, form: Form, caller: Caller) -> Iterator[Probe]:
    """One's own thing, with another clinic named where nobody should look."""
    relations = world.clinics.by_relation(caller.home)
    fields = frozenset(one.name for one in form.naming if one.required) | org_fields(form)
    named = dict.fromkeys(sorted(fields), relations["own"])
    known = {one.name for one in form.fields}
    query = {name: str(relations["foreign"].org_id) for name in _SURPLUS if name not in known}
    headers = {name: str(relations["foreign"].org_id) for name in ("X-Org-Id", "X-Organization-Id", "X-Tenant")}
    yield probe_of(world, form, caller, "query that is not documented", "own", named, query=query)
    yield probe_of(world, form, caller, "header that is not documented", "own", named, headers=headers)


def with_etags(world: World, form: Form, caller: Caller) -> Iterator[Probe]:
    """One's own thing, with an ETag that may be another's."""
    own = world.clinics.by_relation(caller.home)["own"]
    named = {one.name: own for one in form.naming if one.required}
    for header in (one.name for one in form.fields if one.name == "if-match"):
        for etag in ('"1"', '"10"', '"17"'):
            yield probe_of(world, form, caller, f"header {header}", "own", named, headers={header: etag})


def org_fields(form: Form) -> frozenset[str]:
    """The fields that name a clinic itself."""
    return frozenset(one.name for one in form.naming if NAMES[one.name].fact == "org")
