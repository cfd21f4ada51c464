"""What is logged where an offset could not be committed."""

import logging

import pytest
from aiokafka.errors import CommitFailedError, KafkaError

from tool_sync.intake import consumer


@pytest.mark.parametrize(
    ("error", "level", "has_stack"),
    [(CommitFailedError(), logging.WARNING, False), (KafkaError(), logging.CRITICAL, True)],
)
def test_partitions_that_have_moved_are_a_warning(
    error: Exception, level: int, has_stack: bool, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger(consumer.LOGGER).log(logging.CRITICAL, repr(error), exc_info=error)
    (record,) = caplog.records
    assert (record.levelno, record.exc_info is not None) == (level, has_stack)
    assert ("partitions have moved" in record.getMessage()) is not has_stack
