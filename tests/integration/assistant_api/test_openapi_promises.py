"""The OpenAPI document promises every answer: to requests made from it, good and bad."""

from random import Random

import pytest
from tests.support.asgi import Answer, ask
from tests.support.from_openapi import Operation, operations

from assistant_api.app.application import create_app

from .harness import Harness, token

SEED = 20261130
REQUESTS_PER_OPERATION = 40


async def test_every_answer_is_one_that_the_document_promises(harness: Harness) -> None:
    org_ids = [await harness.organization(f"Clinic {number}") for number in range(3)]
    await harness.agent(org_ids[0], id="reception")
    app, random = create_app(harness.service.parts), Random(SEED)
    document = app.openapi()
    known = {
        "org_id": tuple(map(str, org_ids)),
        "orgId": tuple(map(str, org_ids)),
        "agent_id": ("reception", "second"),
        "agentId": ("reception", "second"),
        "id": ("second", str(org_ids[1])),
        "tool": ("bookClinicAppointment",),
        "timeZone": ("Europe/Berlin",),
        "tier": ("basic",),
        "country": ("DE",),
    }
    bearers = [token(), token(org_ids[0])]
    broken: list[str] = []
    statuses: dict[str, set[int]] = {}
    for operation in operations(document, known):
        for _ in range(REQUESTS_PER_OPERATION):
            target, headers, body = operation.request(random)
            headers["Authorization"] = f"Bearer {random.choice(bearers)}"
            answer = await ask(app, operation.method.upper(), target, headers, body)
            statuses.setdefault(f"{operation.method} {operation.path}", set()).add(answer.status)
            if (problem := operation.broken_promise(answer)) is not None:
                broken.append(f"{operation.method} {target[:120]} {(body or b'')[:160]!r}: {problem}")

    assert not broken, "\n".join(broken[:400])
    assert len(statuses) >= 18
    assert {status for found in statuses.values() for status in found} >= {200, 201, 204, 400, 403, 404, 422}


@pytest.mark.parametrize("status", [200, 418])
def test_an_answer_that_is_not_promised_is_found(status: int) -> None:
    promised = {"content": {"application/json": {"schema": {"type": "array"}}}}
    document = {"paths": {"/": {"get": {"responses": {"200": promised}}}}}
    answer = Answer(status, {"content-type": "application/json"}, b"{}")
    assert Operation(document, "/", "get", {}).broken_promise(answer) is not None
