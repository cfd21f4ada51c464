"""The matrix: every operation × every token × whose thing is named × where it is named; and what is wrong with it.

status    401, 403 and 404 as the operation's need and the clinic say
alike     a foreign clinic, one that never was and one that was deleted are answered in the same words
content   no answer holds a word of a clinic that it is not about
rows      nothing of a clinic changes while others ask
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tests.support.asgi import Answer
from tests.support.route_needs import CLAIMS, need_said

from zerotouch_platform.auth import AnyScope

from .clinic import Clinic, Relation
from .cursors import cursor_of, harvested
from .judging import lacks, problems_of, text_of, without_ids
from .probes import Caller, Probe, probe_of, probes_naming, with_cursors, with_etags, with_surplus
from .requests import Form
from .rows import fingerprints
from .world import World


@dataclass
class Report:
    """What came of it. ``answered``: who got something of which operation; ``shown``: canaries that their own clinic
    was shown."""

    probes: int = 0
    findings: list[str] = field(default_factory=list)
    answered: set[tuple[str, bool]] = field(default_factory=set)
    shown: set[str] = field(default_factory=set)


async def run(world: World, wanted: Callable[[str], bool] = lambda _name: True) -> Report:
    """The whole matrix of a service, or of the operations of which ``wanted`` says so by `METHOD path`."""
    report, forms = Report(), [form for form in world.forms() if wanted(form.name)]
    cursors = {form.name: await harvested(world, form, cursor) for form in forms if (cursor := cursor_of(form))}
    clinics = world.clinics
    for home in (clinics.own, clinics.deleted, clinics.absent, clinics.foreign):
        others = [one for one in clinics.all if one is not home]
        before = await fingerprints(world.admin, others)
        for form in forms:
            for caller in _callers(world, form, home):
                await _asked(world, report, form, caller, cursors.get(form.name, ()))
        after = await fingerprints(world.admin, others)
        report.findings += [f"{key} changed while another clinic asked" for key in before if before[key] != after[key]]
    for form in forms:
        await _replayed(world, report, form)
    for form in forms:  # last: it may change everything
        for caller in _callers_for_everybody(world, form):
            await _asked(world, report, form, caller, cursors.get(form.name, ()))
    return report


def _callers(world: World, form: Form, home: Clinic) -> Iterator[Caller]:
    if home is not world.clinics.own:
        yield Caller("org", world.token("org", home.org_id), home)
        return
    for who in CLAIMS:
        if not who.startswith("platform"):
            yield Caller(who, world.token(who, home.org_id), None if who == "nobody" else home)


def _callers_for_everybody(world: World, form: Form) -> Iterator[Caller]:
    for who in ("platform", "platform, with a scope"):
        yield Caller(who, world.token(who, world.clinics.own.org_id), None)
    if (credential := world.credentials.get(form.name)) is not None:
        yield Caller("with its own credential", credential, None)


async def _asked(world: World, report: Report, form: Form, caller: Caller, cursors: Iterable[str]) -> None:
    alike: dict[str, dict[Relation, tuple[Probe, str]]] = {}
    for probe in probes_naming(world, form, caller):
        answer = await _judged(world, report, probe)
        alike.setdefault(probe.place, {})[probe.relation] = (probe, without_ids(world, probe, answer))
    if lacks(world, form, caller) is None and caller.home is None:
        alike = {}  # the platform is told what there is
    for answers in alike.values():
        compared = [answers[one] for one in ("absent", "foreign", "deleted") if one in answers]
        if lacks(world, form, caller) is not None and "own" in answers:
            compared.append(answers["own"])
        report.findings += [
            f"{probe} is told apart from {compared[0][0].relation}: {said[:300]} is not {compared[0][1][:300]}"
            for probe, said in compared[1:]
            if said != compared[0][1]
        ]
    if caller.who in {"org", "platform"} and lacks(world, form, caller) is None:
        placed = (with_cursors(world, form, caller, cursors), with_surplus(world, form, caller))
        for probe in (*placed[0], *placed[1], *with_etags(world, form, caller)):
            await _judged(world, report, probe)


async def _judged(world: World, report: Report, probe: Probe) -> Answer:
    form, caller = probe.form, probe.caller
    answer = await world.ask(form, probe.sent, caller.token)
    report.probes += 1
    report.findings += [f"{probe}: {wrong}" for wrong in problems_of(world, probe, answer)]
    if 200 <= answer.status < 300:
        report.answered.add((form.name, caller.home is not None))
        if caller.home is not None:
            text = text_of(answer)
            report.shown |= {one for one in caller.home.canaries.values() if one in text}
    return answer


async def _replayed(world: World, report: Report, form: Form) -> None:
    """The same request, word for word, after another clinic has sent it with the same key."""
    both = (world.clinics.foreign, world.clinics.own)
    other, caller = (Caller("org", world.token("org", one.org_id), one) for one in both)
    if lacks(world, form, caller) is not None:
        return
    for header in (one.name for one in form.fields if one.name.lower() == "idempotency-key"):
        for clinic in both:
            named = {one.name: clinic for one in form.naming if one.required}
            sent = {header: f"key-{form.name}-{clinic.org_id}"}
            first = probe_of(world, form, other, "", "own", named, headers=sent)
            await world.ask(form, first.sent, other.token)
            probe = probe_of(world, form, caller, f"header {header}", "foreign", named, headers=sent)
            await _judged(world, report, probe)


def unanswered(world: World, report: Report) -> list[str]:
    """Operations of which nobody got anything who should, clinics where they may: what is filled in is not right."""
    return [
        form.name
        for form in world.forms()
        if form.name != "GET /readyz"
        and (form.name, isinstance(need_said(form.operation.spec), AnyScope)) not in report.answered
    ]
