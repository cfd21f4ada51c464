"""The hostile requests of `tests/corpus/hostile_requests.jsonl` over sockets: each 4xx, and nothing is changed."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from tests.attack.target import Target, bearer
from tests.attack.verdict import Tried
from tests.attack.wire import Heard, exchange, request
from tests.support import hostile
from tests.support.hostile import Hostile

AT_ONCE: Final = 8
REPEATS_MAX: Final = 4
"""Of one that met a limit before it was looked at."""
_MOVES: Final = frozenset({"at", "asOf", "as_of", "position", "head", "scanned_through", "next_due", "updatedAt"})
CHECK: Final = {
    "assistant-api": 'curl -i localhost:3001/api/agents?after=%00 -H "$T"',
    "tool-sync": 'curl -i localhost:3002/v1/events?after=NaN -H "$T"',
}


async def tried(target: Target, service: str) -> Tried:
    """All of one service's."""
    values = hostile.values_of(target.mine.org_id, target.canary)
    token = target.stack.signer.platform_token()
    before = await _seen(target)
    places = asyncio.Semaphore(AT_ONCE)

    async def one(each: Hostile) -> list[str]:
        async with places:
            heard = await _sent(target, service, each, values, token)
        problems = [] if 400 <= heard.status < 500 else [f"answers {heard.status}"]
        problems += ["repeats a secret" for secret in (target.canary, token) if secret.encode() in heard.text]
        return [f"{problem}: {each}" for problem in problems]

    requests = hostile.read_all(service)
    found = [problem for problems in await asyncio.gather(*map(one, requests)) for problem in problems]
    after = await _seen(target)
    found += [f"changed: {name}" for name in before if before[name] != after[name]]
    return Tried("inputs", f"hostile inputs, {service}: 4xx, no change", len(requests), found, CHECK[service])


async def _sent(target: Target, service: str, each: Hostile, values: dict[str, str], token: str) -> Heard:
    headers = {**bearer(token), **each.headers(values)}
    raw = request(each.route.partition(" ")[0], each.target(values), headers, each.payload(values))
    for _ in range(REPEATS_MAX):
        heard = await exchange(target.at(service), raw)
        if heard.status != 429:
            break
        await asyncio.sleep(
            1
        )  # a bad token counts for this address, which meets its limit: the input was not looked at
    return heard


async def _seen(target: Target) -> Mapping[str, Any]:
    """What HTTP shows of both services, without what moves by itself."""
    shown: dict[str, Any] = {}
    org_id = target.mine.org_id
    paths = {
        "assistant-api": (
            f"/api/agents?orgId={org_id}", f"/api/organizations/{org_id}/calendar", f"/api/appointments?orgId={org_id}",
        ),
        "tool-sync": (
            f"/v1/orgs/{org_id}/changes", f"/v1/orgs/{org_id}/change-window", "/v1/tools", "/v1/rollouts",
            f"/v1/orgs/{org_id}/tools/bookClinicAppointment/settings",
            f"/v1/orgs/{org_id}/tools/bookClinicAppointment/pin",
        ),
    }  # fmt: skip
    for service, each in paths.items():
        for path in each:
            headers = {**target.platform, "X-Access-Reason": "an attack on our own machine"}
            answer = await target.http[service].get(path, headers=headers)
            shown[path] = (answer.status_code, json.dumps(_still(answer.json()), sort_keys=True))
    return shown


def _still(document: Any) -> Any:
    if isinstance(document, dict):
        return {key: _still(value) for key, value in document.items() if key not in _MOVES}
    return list(map(_still, document)) if isinstance(document, list) else document
