"""Every event that was ever stored can still be read, and what is made of it is known."""

import subprocess
from dataclasses import MISSING, fields
from typing import Any, get_args
from uuid import UUID

import pytest
from pydantic_core import from_json

from tool_sync.domain.events import Event
from tool_sync.log.codec import SCHEMAS, UPCASTERS, decode, encode
from tool_sync.outcomes.published import ALL as TOPICS
from tool_sync.outcomes.published import FLEET, OUTCOMES, PublishedTopic

from ...golden.reading import CHECKSUMS, Golden, assert_result, goldens, listed, log_of, present

ORG = UUID("c0ffee00-1111-4111-8111-111111111111")
CLASSES: dict[str, type[Event]] = {cls.__name__: cls for cls in get_args(Event)}
ALL = {golden.name: golden for golden in goldens()}


def of(type_name: str, schema: int) -> list[Golden]:
    return [golden for golden in ALL.values() if (golden.type_name, golden.schema) == (type_name, schema)]


def test_no_golden_file_was_changed_removed_or_left_out() -> None:
    assert {path: checksum for checksum, path in listed()} == present()
    assert len(listed()) == len(present())


def test_the_list_of_golden_files_only_grows() -> None:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=CHECKSUMS.parent, capture_output=True, text=True, check=True
        ).stdout

    try:
        git("rev-parse", "HEAD")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no checkout that git reads: there is no earlier list to compare with")
    now = set(CHECKSUMS.read_text().splitlines())
    for commit in git("log", "--format=%H", "--", CHECKSUMS.name).split():
        before = git("show", f"{commit}:./{CHECKSUMS.name}")
        gone = set(before.splitlines()) - now
        assert not gone, f"lines of {commit[:12]} were edited or removed: {sorted(gone)}"


@pytest.mark.parametrize("type_name", CLASSES)
def test_every_schema_of_a_type_has_its_golden_file(type_name: str) -> None:
    for schema in range(1, SCHEMAS[type_name] + 1):
        assert of(type_name, schema), f"add tests/golden/events/{type_name}.v{schema}.json, and its line"
    for schema in range(1, SCHEMAS[type_name]):
        assert (type_name, schema) in UPCASTERS


@pytest.mark.parametrize("type_name", CLASSES)
def test_a_field_that_was_added_later_has_a_golden_file_from_before_and_one_with_it(type_name: str) -> None:
    documents = [golden.data for golden in of(type_name, SCHEMAS[type_name])]
    for field in fields(CLASSES[type_name]):
        assert any(field.name in document for document in documents), f"no golden file shows {field.name}"
        if field.default is not MISSING:
            assert any(field.name not in document for document in documents), f"no golden file lacks {field.name}"


@pytest.mark.parametrize("golden", ALL.values(), ids=ALL)
def test_a_stored_event_is_read_and_loses_no_field(golden: Golden) -> None:
    event = decode(1, golden.type_name, golden.schema, golden.text)
    assert type(event).__name__ == golden.type_name
    again = from_json(encode(event).data)
    if golden.schema == SCHEMAS[golden.type_name]:
        assert _of_what_was_there(again, golden.data) == golden.data


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_publishable_type_is_published_from_its_golden_files(topic: PublishedTopic) -> None:
    kinds = {g.type_name for g in ALL.values() if _message(g, topic) is not None}
    assert kinds == set(topic.stored_types)


def test_an_event_from_before_the_fleets_topic_is_not_told_there() -> None:
    for golden in ALL.values():
        assert (_message(golden, FLEET) is None) == (golden.data.get(FLEET.numbered_by) is None), golden.name


def test_what_is_read_and_published_is_as_pinned() -> None:
    assert_result("events", {golden.name: _made(golden) for golden in ALL.values()})


def test_the_whole_logs_hold_every_type() -> None:
    logs = [path.removeprefix("logs/").removesuffix(".jsonl") for path in present() if path.startswith("logs/")]
    assert {row["type"] for name in logs for row in log_of(name)} == set(CLASSES)


def _of_what_was_there(again: Any, before: Any) -> Any:
    """Without the fields that were added since, at any depth."""
    match before:
        case dict():
            return {name: _of_what_was_there(again[name], inner) for name, inner in before.items()}
        case list():
            return [_of_what_was_there(*pair) for pair in zip(again, before, strict=True)]
        case _:
            return again


def _made(golden: Golden) -> dict[str, Any]:
    event = decode(1, golden.type_name, golden.schema, golden.text)
    made = {"event": from_json(encode(event).data), "published": _message(golden, OUTCOMES)}
    told = _message(golden, FLEET)
    return made if told is None else made | {"told": told}


def _message(golden: Golden, topic: PublishedTopic) -> Any:
    message = topic.message_of(ORG, decode(1, golden.type_name, golden.schema, golden.text))
    return None if message is None else {"type": message.TYPE, "body": message.model_dump(mode="json")}
