"""``tool-sync check``: can the callers of a clinic's assistants book? What the log knows, or what Vapi says now."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from tool_sync import db
from tool_sync.admin.checked import CheckedClinic, KnownAssistant, Trouble, clinic_of
from tool_sync.admin.live import Look, LookStopped, Met
from tool_sync.cli.connected import answered, pooled
from tool_sync.cli.exits import EXIT_FOUND, EXIT_USAGE, NotFound
from tool_sync.cli.looking import At, looking
from tool_sync.cli.output import print_json, print_line, print_lines, say_not_looked_at
from tool_sync.queries.assistants import find_assistants
from tool_sync.queries.organizations import is_known
from zerotouch_contracts.errors import entry_of
from zerotouch_contracts.text import uuid_of


@dataclass(frozen=True, slots=True)
class Checked:
    """A clinic, and what its callers meet: as the log has it (``known``), and as Vapi says now (``met``)."""

    clinic: CheckedClinic
    met: tuple[Met, ...]

    @property
    def should(self) -> tuple[KnownAssistant, ...]:
        """The assistants that should be able to book."""
        return self.clinic.assistants if self.clinic.wanted else ()


async def check(database_url: str, target: str, live: At | None, *, as_json: bool) -> int:
    """Print what was found; returns the exit status."""

    async def work() -> int:
        async with pooled(database_url) as pool:
            clinics = await _clinics(pool, target)
            if not clinics:
                raise NotFound(f"there is no organization and no assistant {target}")
            if live is None:
                return _tell([Checked(clinic, ()) for clinic in clinics], None, None, as_json=as_json)
            return await _check_live(pool, clinics, live, as_json=as_json)

    return await answered(work())


async def _check_live(pool: db.Pool, clinics: list[CheckedClinic], live: At, *, as_json: bool) -> int:
    checked, stopped = [], None
    async with looking(pool, live) as look:
        for clinic in clinics:
            met: list[Met] = []
            for known in clinic.assistants if clinic.wanted else ():
                if stopped is None:
                    try:
                        met.append(await look.assistant(clinic, known))
                    except LookStopped as error:
                        stopped = error
            checked.append(Checked(clinic, tuple(met)))
        return _tell(checked, look, stopped, as_json=as_json)


async def _clinics(pool: db.Pool, target: str) -> list[CheckedClinic]:
    """The clinic of this id, or those with an assistant of this id, with it alone."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        org_id = uuid_of(target)
        if org_id is not None and await is_known(connection, org_id):
            return [await clinic_of(connection, org_id)]
        return [
            await clinic_of(connection, org, agent_id) for org, agent_id in await find_assistants(connection, target)
        ]


def _tell(checked: list[Checked], look: Look | None, stopped: LookStopped | None, *, as_json: bool) -> int:
    should = [known for one in checked for known in one.should]
    met = [met for one in checked for met in one.met]
    good = sum(m.can_book for m in met) if look is not None else sum(not known.trouble for known in should)
    limits = tuple(_not_looked_at(checked, look, stopped))
    is_whole = good == len(should) and stopped is None and not any(one.clinic.more for one in checked)
    if as_json:
        document = {
            "live": look is not None,
            "clinics": [_document(one, live=look is not None) for one in checked],
            "can_book": good,
            "should_book": len(should),
            "calls": look.calls if look else 0,
            "ok": is_whole,
        }
        complete = len(met) == len(should) or look is None
        print_json(
            "check", document, complete=complete and not any(one.clinic.more for one in checked), not_looked_at=limits
        )
    else:
        for one in checked:
            print_lines(_text(one, live=look is not None))
        if look is not None:
            print_line(f"Read at Vapi now: {len(met)} assistants, {look.calls} calls")
        say_not_looked_at(limits)
        known = "can book" if look is not None else "can book as far as the log knows"
        print_line(f"{good} of {len(should)} assistants that should {known}")
    if stopped is not None and stopped.is_key:
        return EXIT_USAGE
    return 0 if is_whole else EXIT_FOUND


def _not_looked_at(checked: list[Checked], look: Look | None, stopped: LookStopped | None) -> Iterator[str]:
    if look is None:
        yield "Vapi itself; --live reads it now"
    left = sum(len(one.should) - len(one.met) for one in checked) if look is not None else 0
    if left and stopped is not None:
        yield f"{left} assistants: {stopped}"
    for one in checked:
        if one.clinic.more:
            yield f"clinic {one.clinic.org_id} has more assistants than the {len(one.clinic.assistants):,} listed"
    yield from dict.fromkeys(limit for one in checked for met in one.met for limit in met.not_looked_at)
    yield "whether the tool server answers, because no phone call is made"


def _document(checked: Checked, *, live: bool) -> dict[str, Any]:
    clinic = checked.clinic
    assistants: list[dict[str, Any]] = (
        [asdict(met) | {"can_book": met.can_book} for met in checked.met]
        if live
        else [asdict(known) | {"can_book": not known.trouble} for known in checked.should]
    )
    for assistant in assistants:
        for trouble in assistant["trouble"]:
            trouble |= _advice(trouble["code"])
    none_wanted = clinic.none_wanted
    return {
        "org_id": clinic.org_id,
        "as_of_position": clinic.position,
        "wanted": [tool.name for tool in clinic.wanted],
        "none_wanted": None if none_wanted is None else {"code": none_wanted, **_advice(none_wanted)},
        "left": clinic.left,
        "assistants": assistants,
    }


def _advice(code: str | None) -> dict[str, str | None]:
    entry = entry_of(code)
    return {name: getattr(entry, name, None) for name in ("title", "who_acts", "what_to_do")}


def _text(checked: Checked, *, live: bool) -> Iterator[str]:
    clinic = checked.clinic
    yield f"Clinic {clinic.org_id}, as of position {clinic.position}"
    if not clinic.wanted:
        yield from _troubles((Trouble(clinic.none_wanted, ()),), "  wants no tool: ")
        return
    yield f"  wants {', '.join(tool.name for tool in clinic.wanted)}"
    for what in clinic.left:
        yield f"  {what}"
    if not clinic.assistants:
        yield "  has no assistant"
    if live:
        for met in checked.met:
            yield f"{met.agent_id} ({met.assistant_id or 'not at Vapi'})"
            for tool in met.reaches:
                yield f"  reaches {tool.name}"
                yield f"    tool id {tool.vapi_tool_id}, version {tool.definition_version}"
            for pin in met.pinned:
                yield f"  pins {pin}, which is answered"
            if met.not_read:
                yield f"  was not read: {met.not_read}"
            yield from _troubles(met.trouble)
        return
    for known in clinic.assistants:
        yield f"{known.agent_id} ({known.assistant_id or 'not at Vapi'})"
        if not known.trouble:
            yield "  nothing is known to stand in the way"
        yield from _troubles(known.trouble)


def _troubles(troubles: tuple[Trouble, ...], lead: str = "  cannot reach ") -> Iterator[str]:
    for one in troubles:
        advice = _advice(one.code)
        yield f"{lead}{one.said}"
        if one.vapi_tool_ids:
            yield f"    tool id {', '.join(one.vapi_tool_ids)}"
        if advice["what_to_do"]:
            yield f"    {advice['who_acts']}: {advice['what_to_do']}"
