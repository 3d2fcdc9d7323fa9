"""Pod templates as the JSON that they came in: of thousands that are watched, few are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, final

import orjson


@final
class LazyJson(Mapping[str, Any]):
    """An object that is decoded at each access; a quarter of the memory of its dicts.

    What is got out of it is a copy: a change of that changes nothing.
    """

    __slots__: Final = ("_json",)

    def __init__(self, content: Mapping[str, object]) -> None:
        """``content`` is what JSON can say."""
        self._json = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)

    def __getitem__(self, key: str) -> Any:
        return self._open()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._open())

    def __len__(self) -> int:
        return len(self._open())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, LazyJson):
            return self._json == other._json
        return self._open() == other

    def __hash__(self) -> int:
        return hash(self._json)

    def __repr__(self) -> str:
        return f"Packed({self._json.decode()})"

    def _open(self) -> dict[str, Any]:
        opened: dict[str, Any] = orjson.loads(self._json)
        return opened
