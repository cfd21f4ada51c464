"""Traffic splits through the official SDK (public beta): its own classes read every answer of the sandbox."""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from target import ONCE
from vapi import CreateTrafficAllocationTargetDto
from vapi.errors import BadRequestError, ConflictError, ForbiddenError, NotFoundError

pytestmark = pytest.mark.dials
Maker = Callable[..., Any]
ABSENT = "5a4db0c5-0000-4000-8000-00000000dead"


def target(version: str, percentage: float) -> Any:
    return CreateTrafficAllocationTargetDto(assistant_version=version, percentage=percentage)


def test_a_split_goes_through_its_life(client: Any, make_assistant: Maker) -> None:
    one, splits = make_assistant().id, client.traffic_allocations
    client.assistants.update(one, first_message="two", request_options=ONCE)
    assert splits.traffic_allocation_controller_latest_get(assistant_id=one, request_options=ONCE).allocation is None
    made = splits.traffic_allocation_controller_create(
        assistant_id=one, targets=[target("v1", 12.5), target("v2", 87.5)], request_options=ONCE
    )
    assert type(made).__name__ == "TrafficAllocation"
    assert not made.model_extra, made.model_extra
    assert (made.allocation_intent, made.actor_type) == ("explicit", "api-key")
    assert made.created_at.utcoffset() == timedelta(0)
    assert [(t.assistant_version, t.position, t.percentage) for t in made.targets] == [("v1", 0, 12.5), ("v2", 1, 87.5)]
    latest = splits.traffic_allocation_controller_latest_get(assistant_id=one, request_options=ONCE)
    assert latest.allocation == made
    assert splits.traffic_allocation_controller_find_one(made.id, request_options=ONCE) == made
    page = splits.traffic_allocation_controller_find_all_paginated(assistant_id=one, page=1, request_options=ONCE)
    assert (page.results, page.metadata.total_items) == ([made], 1)
    assert not page.metadata.model_extra, page.metadata.model_extra


def test_refusals_are_the_sdks_own_errors(client: Any, make_assistant: Maker, dials: Maker) -> None:
    one, splits = make_assistant().id, client.traffic_allocations
    create = splits.traffic_allocation_controller_create
    whole = [target("v1", 100)]
    with pytest.raises(BadRequestError):
        create(assistant_id=one, targets=[target("v1", 99)], request_options=ONCE)
    with pytest.raises(NotFoundError):
        create(assistant_id=ABSENT, targets=whole, request_options=ONCE)
    with pytest.raises(ConflictError) as stale:
        create(assistant_id=one, targets=whole, expected_current_allocation_id=ABSENT, request_options=ONCE)
    assert (stale.value.body["error"], stale.value.body["currentAllocationId"]) == ("stale_allocation", None)
    dials(without_traffic_splits=["*"])
    with pytest.raises(ForbiddenError):
        splits.traffic_allocation_controller_latest_get(assistant_id=one, request_options=ONCE)
