"""The example subscriber: an assistant can book where its tool is there and a caller reaches it."""

import pytest
from tests.support.example import example

from zerotouch_contracts.errors import ErrorCode
from zerotouch_contracts.events import ToolsSynced
from zerotouch_contracts.subscriber.delivery import Delivered
from zerotouch_contracts.testing.samples import OutcomeSamples

SAMPLES = OutcomeSamples()
OUTCOMES = {
    "synced": (SAMPLES.synced(), True),
    "another tool only": (SAMPLES.synced(tools=("cancelAppointment",)), False),
    "switched off": (SAMPLES.without_tools(), False),
    "not in the tier": (SAMPLES.without_tools(reason=ErrorCode.TIER_WITHOUT_TOOLS), False),
    "refused": (SAMPLES.failed(), False),
    "another tool failed": (SAMPLES.failed(tools=("cancelAppointment",)), False),
    "linked and not usable": (SAMPLES.unusable(), False),
    "linked and not sent": (SAMPLES.unusable(code=ErrorCode.TOOL_CALLS_NOT_SENT), False),
}


@pytest.mark.parametrize(("delivered", "can_book"), OUTCOMES.values(), ids=OUTCOMES.keys())
def test_an_outcome_says_whether_an_assistant_can_book(delivered: Delivered, can_book: bool) -> None:
    assert example()._rows(delivered) == [(delivered.org_id, "front-desk", can_book)]


def test_a_sample_without_tools_says_why() -> None:
    message = OutcomeSamples().without_tools().message
    assert isinstance(message, ToolsSynced)
    assert (message.tools, message.reason) == ((), "TS-501")
