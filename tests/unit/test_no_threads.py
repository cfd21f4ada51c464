"""No request changes threads: FastAPI runs plain functions in a thread, which waits for a core and the interpreter."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIRouter

import assistant_api.http.routes
import tool_sync.http


def routers() -> Iterator[tuple[str, APIRouter]]:
    for package in (assistant_api.http.routes, tool_sync.http):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            router = getattr(importlib.import_module(module.name), "router", None)
            if isinstance(router, APIRouter):
                yield module.name, router


def called(dependant: Dependant) -> Iterator[object]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from called(inner)


def is_awaited(call: object) -> bool:
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004 - its kind is asked for


@pytest.mark.parametrize(("name", "router"), list(routers()), ids=[name for name, _ in routers()])
def test_routes_and_what_they_depend_on_are_coroutines(name: str, router: APIRouter) -> None:
    routes = [route for route in router.routes if isinstance(route, APIRoute)]
    assert routes
    plain = {(route.path, call) for route in routes for call in called(route.dependant) if not is_awaited(call)}
    assert plain == set()
