"""What both OpenAPI documents promise of themselves, as tests; each service's module says by ``document`` of which.

``words`` is the service's table of words, of which none may be left over.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
from tests.support.route_needs import Served

from zerotouch_platform.limits.middleware import HEALTH
from zerotouch_platform.openapi import described_things

Json = dict[str, Any]


def _operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, f"{method.upper()} {path}", operation


def test_every_field_and_parameter_says_what_it_is(document: Json) -> None:
    assert not [f"{holder}.{name}" for holder, name, said in described_things(document) if not said.get("description")]


def test_no_word_is_left_over(document: Json, words: Mapping[str, str]) -> None:
    there = {key for holder, name, _ in described_things(document) for key in (name, f"{holder}.{name}")}
    assert not set(words) - there


def test_every_body_is_a_component_with_an_example_that_it_takes(document: Json) -> None:
    bodies = 0
    for _, name, operation in _operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = {**content["schema"], "components": document["components"]}
            assert "$ref" in content["schema"], name
            jsonschema.validate(content["example"], schema)
            bodies += 1
    assert bodies > 8


def test_every_problem_is_the_same_component_and_429_has_its_headers(document: Json) -> None:
    for path, name, operation in _operations(document):
        answers = operation["responses"]
        for status, answer in answers.items():
            if status >= "4" and path not in HEALTH:
                content = answer["content"]["application/problem+json"]
                assert content["schema"] == {"$ref": "#/components/schemas/Problem"}, f"{name} {status}"
        if path not in HEALTH:
            assert {"404", "422", "429", "500", "503"} <= set(answers), name
            assert set(answers["429"]["headers"]) == {"Retry-After", "RateLimit", "RateLimit-Policy"}


def test_no_answer_is_an_object_of_anything(document: Json) -> None:
    for _, name, operation in _operations(document):
        for status, answer in operation["responses"].items():
            for kind, content in answer.get("content", {}).items():
                if kind == "application/json":
                    schema = content["schema"]
                    assert "$ref" in schema or all("$ref" in one for one in schema["anyOf"]), f"{name} {status}"


def test_names_of_operations_are_short_and_each_one_s_own(document: Json) -> None:
    names = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(set(names)) == len(names)
    assert not [name for name in names if "__" in name or len(name) > 40]


async def test_a_405_names_every_method_of_its_path(served: Served, document: Json) -> None:
    async with served.http() as http:
        for path, methods in document["paths"].items():
            answer = await http.request("TRACE", re.sub(r"{\w+}", "some", path))
            assert (answer.status_code, answer.headers["Allow"]) == (405, ", ".join(sorted(methods)).upper()), path


async def test_a_refusal_has_the_form_that_the_document_describes(served: Served, document: Json) -> None:
    schema, refused = {**document["components"]["schemas"]["Problem"], "components": document["components"]}, 0
    async with served.http() as http:
        for path in document["paths"]:
            if path not in HEALTH and (answer := await http.get(re.sub(r"{\w+}", "some", path))).status_code >= 400:
                jsonschema.validate(answer.json(), schema)
                refused += 1
    assert refused > 10
