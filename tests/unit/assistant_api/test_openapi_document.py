"""The OpenAPI document of assistant-api: whole, and with words of its own for everything."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.support.openapi_documents import *  # noqa: F403 - its tests
from tests.support.route_needs import Served

from assistant_api.http.words import WORDS

from .test_needs import served as served


@pytest.fixture(scope="module")
def document(served: Served) -> dict[str, Any]:
    return served.app.openapi()


@pytest.fixture(scope="module")
def words() -> Mapping[str, str]:
    return WORDS
