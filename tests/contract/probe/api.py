"""The calls of a probe: counted, paced, and sure to leave nothing behind."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import httpx

CALLS_MAX: Final = 40
PACE_SECONDS: Final = 0.7
"""The pace of Vapi's own tools; how many calls a key may make is not published."""
TIMEOUT_SECONDS: Final = 30.0
PREFIX: Final = "zt-probe-"
# Cleaning up looks for a kind of which a creation got no answer.
_LOOK_UP_CALLS: Final = 1
KINDS: Final = ("assistant", "tool")  # in the order in which they are deleted: an assistant may pin a tool


class OutOfCalls(Exception):
    """The next call would be one too many, or would be needed to delete what was made."""


@dataclass
class Api:
    """An API and what a probe made there. `calls` never exceeds `calls_max`, whatever happens.

    `name` is in the names of all that is made. `sleep` and `clock` are those of the pace, in seconds.
    """

    http: httpx.Client
    name: str
    pace_seconds: float = PACE_SECONDS
    calls_max: int = CALLS_MAX
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.time
    calls: int = 0
    seen_headers: set[str] = field(default_factory=set)
    refusals_429: list[str] = field(default_factory=list)
    began_seconds: float = 0.0
    # What later questions are about: the path of the assistant, the two tools of one name.
    assistant: str | None = None
    pair: tuple[dict[str, Any], dict[str, Any]] | None = None
    _made: dict[str, str] = field(default_factory=dict)
    _unsure: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _cleaning: bool = False

    def __post_init__(self) -> None:
        """Begin the clock that bounds the look for lost creations."""
        self.began_seconds = self.clock()

    def send(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **query: str
    ) -> httpx.Response:
        """Make one call; after a 429 one more, when the next UTC minute has begun."""
        answer = self._once(method, path, body, raw, query)
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            headers = {name: value for name, value in answer.headers.items() if _tells_limits(name)}
            self.refusals_429.append(f"{printable(answer.text)} {headers or 'without headers about it'}")
            self.sleep(61 - self.clock() % 60)
            answer = self._once(method, path, body, raw, query)
        return answer

    def create(self, kind: str, body: Mapping[str, Any]) -> httpx.Response:
        """Make an object that is deleted at the end."""
        self._unsure.append(kind)
        answer = self.send("POST", f"/{kind}", body)
        made = document(answer).get("id")
        if isinstance(made, str):
            self._made[made] = kind
        if answer.is_success or answer.is_client_error:
            self._unsure.remove(kind)
        return answer

    def delete(self, kind: str, made: str) -> httpx.Response:
        """Delete an object of ours."""
        answer = self.send("DELETE", f"/{kind}/{made}")
        if answer.is_success or answer.status_code == httpx.codes.NOT_FOUND:
            self._made.pop(made, None)
        return answer

    def clean_up(self) -> list[str]:
        """Delete all that was made, and what may have been made by a creation without an answer.

        Returns what is left, in words.
        """
        self._cleaning = True
        left = []
        for kind in sorted(set(self._unsure)):
            trouble = self._twice(partial(self._find_lost, kind))
            if trouble is not None:
                left.append(f"perhaps a {kind} whose name begins with {self.name}: {trouble}")
        for made, kind in sorted(self._made.items(), key=lambda item: KINDS.index(item[1])):
            trouble = self._twice(partial(self.delete, kind, made))
            if made in self._made:
                left.append(f"{kind} {made}: {trouble}")
        return left

    def _twice(self, step: Callable[[], httpx.Response]) -> str | None:
        """Take a step of cleaning up, and once more where it fails or is interrupted; returns why it failed again."""
        trouble = None
        for _ in range(2):
            try:
                answer = step()
            except OutOfCalls as error:
                return trouble or str(error)
            except (httpx.HTTPError, KeyboardInterrupt) as error:
                trouble = type(error).__name__
            else:
                if answer.is_success or answer.status_code == httpx.codes.NOT_FOUND:
                    return None
                trouble = f"{answer.status_code} {printable(answer.text)}"
        return trouble

    def _find_lost(self, kind: str) -> httpx.Response:
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.began_seconds - 300))
        answer = self.send("GET", f"/{kind}", createdAtGe=since, limit="1000")
        listed = answer.json() if answer.is_success else []
        for found in (item for item in listed if isinstance(item, dict) and isinstance(item.get("id"), str)):
            name = found.get("name") if kind == "assistant" else (found.get("function") or {}).get("name")
            if isinstance(name, str) and name.startswith(self.name):
                self._made[found["id"]] = kind
        return answer

    def _once(self, method: str, path: str, body: Any, raw: bytes | None, query: Mapping[str, str]) -> httpx.Response:
        with self._lock:
            # What is made, or may have been made, will be deleted.
            looks = _LOOK_UP_CALLS * len(set(self._unsure))
            kept = 0 if self._cleaning else len(self._made) + len(self._unsure) + looks
            if self.calls + kept >= self.calls_max:
                raise OutOfCalls(f"{self.calls} of {self.calls_max} calls are made, and {kept} are kept for deleting")
            self.calls += 1
        if self.pace_seconds:
            self.sleep(self.pace_seconds)
        content = json.dumps(body).encode() if raw is None and body is not None else raw
        headers = {} if content is None else {"content-type": "application/json"}
        answer = self.http.request(method, path, content=content, params=dict(query), headers=headers)
        self.seen_headers.update(name for name in answer.headers if _tells_limits(name))
        return answer


def document(answer: httpx.Response) -> dict[str, Any]:
    """Return the object of an answer's body; {} where it is none. Numbers stay texts: their form is asked for."""
    try:
        read = json.loads(answer.text, parse_int=str, parse_float=str)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def printable(text: str, longest: int = 160) -> str:
    """Return what can be printed of a stranger's words."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:longest]


def _tells_limits(name: str) -> bool:
    return "ratelimit" in name.lower().replace("-", "") or name.lower() == "retry-after"
