"""Writing the ledger while a run goes on: one line per operation, fault, edit and poison record, flushed at once."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any, Literal

State = Literal["ok", "fail", "info"]


class Ledger:
    """Appends to ``ledger.jsonl`` of a dump. Safe to use from many tasks of one event loop."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / "ledger.jsonl").open("a", encoding="utf-8")

    def op(self, op: str, *, started: float, state: State, **fields: Any) -> None:
        """A client's operation that has just ended; ``started`` by ``time.time()``."""
        self._line("op", op=op, started=started, ended=time.time(), state=state, **fields)

    def fault(self, fault_class: str, target: str, *, pause: bool = False, **fields: Any) -> None:
        """A fault that is being injected now."""
        self._line("fault", at=time.time(), target=target, pause=pause, **{"class": fault_class}, **fields)

    def edit(self, assistant: str, body: bytes) -> None:
        """A PATCH of an assistant by somebody else, with exactly these bytes."""
        self._line("edit", assistant=assistant, sha256=hashlib.sha256(body).hexdigest())

    def poison(self, topic: str, partition: int, offset: int, **fields: Any) -> None:
        """A record that was put on the topic by hand."""
        self._line("poison", topic=topic, partition=partition, offset=offset, **fields)

    def plan(self, classes: list[str]) -> None:
        """The fault classes without which the run is void."""
        self._line("plan", classes=classes)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _line(self, kind: str, **fields: Any) -> None:
        self._file.write(json.dumps({"kind": kind, **fields}) + "\n")
        self._file.flush()
