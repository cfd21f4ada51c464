"""Cursors of a list, as somebody was given them, and the same with other ids in them."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

from tests.support.asgi import Answer

from .clinic import Clinic
from .probes import Caller, org_fields, probe_of
from .requests import CURSORS, Field, Form
from .world import World


def cursor_of(form: Form) -> Field | None:
    """The field that says where to go on, where there is one."""
    return next((one for one in form.fields if one.name in CURSORS), None)


async def harvested(world: World, form: Form, cursor: Field) -> tuple[str, ...]:
    """Cursors of this list that somebody was given, theirs and ours, and the same with other ids in them."""
    found: dict[str, None] = {}
    for who, clinic in (("platform", None), ("org", world.clinics.own), ("org", world.clinics.foreign)):
        home = clinic or world.clinics.own
        caller = Caller(who, world.token(who, home.org_id), clinic)
        named = {one.name: home for one in form.naming if one.required or (clinic and one.name in org_fields(form))}
        more: dict[str, Any] = {"limit": 1} if any(one.name == "limit" for one in form.fields) else {}
        for _ in range(3):
            answer = await world.ask(
                form, probe_of(world, form, caller, "", "own", named, more=more).sent, caller.token
            )
            if not (given := _given(answer)):
                break
            found |= dict.fromkeys(given)
            more[cursor.name] = given[0]
    for text in tuple(found):
        found |= dict.fromkeys(_altered(text, world.clinics.own, world.clinics.foreign))
    if "string" not in str(cursor.schema):
        found |= dict.fromkeys(("0", "1", "1000000"))
    return tuple(found)


def _given(answer: Answer) -> list[str]:
    if answer.status != 200 or "json" not in answer.headers.get("content-type", ""):
        return []
    said = json.loads(answer.body)
    going_on = [said[key] for key in said if re.match("next|scanned_through|as_of_position", key)]
    return [str(text) for text in going_on if text is not None]


def _altered(text: str, own: Clinic, foreign: Clinic) -> Iterator[str]:
    plain = text
    try:
        decoded = base64.urlsafe_b64decode(text.encode()).decode()
        plain = decoded if decoded.startswith("[") else text
    except ValueError:
        pass
    swaps = [(str(own.org_id), str(foreign.org_id)), (str(foreign.org_id), str(own.org_id))]
    swaps += [(str(one.org_id), "00000000-0000-0000-0000-000000000000") for one in (own, foreign)]
    for old, new in swaps:
        if old in plain:
            swapped = plain.replace(old, new)
            yield swapped if plain is text else base64.urlsafe_b64encode(swapped.encode()).decode()
    yield text[:-3]
