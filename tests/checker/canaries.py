"""Looking for the prompts that saves gave, each of which stands nowhere else: thousands in thousands of texts."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

_PIECE: Final = re.compile(r"[0-9A-Za-z]+")


class Canaries:
    """``prompts`` by the piece of each that the fewest others share; only that is looked up for every text."""

    def __init__(self, prompts: Iterable[str]) -> None:
        self._prompts = frozenset(prompts)
        shared: dict[str, int] = defaultdict(int)
        for prompt in self._prompts:
            for piece in set(_PIECE.findall(prompt)):
                shared[piece] += 1
        self._by_piece: dict[str, list[str]] = defaultdict(list)
        for prompt in self._prompts:
            rarest = min(_PIECE.findall(prompt), key=lambda piece: (shared[piece], -len(piece)))
            self._by_piece[rarest].append(prompt)

    def __len__(self) -> int:
        return len(self._prompts)

    def found_in(self, text: str) -> Iterator[str]:
        """The prompts in a text, as they are or as JSON writes them."""
        for piece in self._by_piece.keys() & set(_PIECE.findall(text)):
            for prompt in self._by_piece[piece]:
                if prompt in text or json.dumps(prompt)[1:-1] in text:
                    yield prompt
