"""Differences taken back as JSON patches (RFC 6902), each with the patch that brings them again.

A patch tests each value that it replaces and the merge key of each list element on the way, so that
the API server refuses it where somebody else has written in between, and refuses its repeat.  A
patch is made of four operations here: ``test``, ``add``, ``remove`` and ``replace``.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import jsonpatch
import jsonpointer

from prunella.core import pointers
from prunella.core.changes import diff

Operation = Mapping[str, Any]
Operations = tuple[Operation, ...]
WHOLE: Final = ""
"""The pointer to the whole object: added when it is created, removed when it is deleted."""


class NotApplicableError(Exception):
    """A patch does not fit an object: a test fails, or a place is not there."""


@dataclasses.dataclass(frozen=True, slots=True)
class Swaps:
    """A patch and the one that undoes it."""

    patch: Operations
    inverse: Operations


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """Where a path leads in a document."""

    pointer: str
    holder: Any
    """The map or list that the last part of the path is in; ABSENT when it is not there."""
    last: str | int
    tests: Operations
    """That the list elements on the way are those that the path means."""
    key: str = ""
    """The merge key, where the last part is an element of a list that has one."""


def take_back(found: Iterable[diff.Difference], before: Any, now: Any) -> Swaps:
    """What brings an object as it is ``now`` back to ``before`` in these fields alone.

    Raises NotApplicableError where a place can't be found in ``now``.
    """
    document = copy.deepcopy(now)
    patch: list[Operation] = []
    inverse: list[Operation] = []
    for each in _in_order(found):
        for pointer_there, back in _swaps(each, before, document):
            document = apply(pointer_there, document)
            patch += pointer_there
            inverse = [*back, *inverse]
    return Swaps(tuple(patch), tuple(inverse))


def _in_order(found: Iterable[diff.Difference]) -> list[diff.Difference]:
    """Replacements, then removals from the end, then additions from the start: places stay."""
    whole = list(found)
    added = [each for each in whole if each.new is diff.ABSENT]
    removed = [each for each in whole if each.old is diff.ABSENT]
    kept = [e for e in whole if e.old is not diff.ABSENT and e.new is not diff.ABSENT]
    return [*kept, *reversed(removed), *added]


def _swaps(
    each: diff.Difference, before: Any, document: Any
) -> list[tuple[Operations, Operations]]:
    """The operations for one difference, there and back.

    A map that must be there for it is made first; one that was not there before goes with its
    last entry, as the API server keeps no empty ones.
    """
    place = _find(each.path, document)
    made = []
    if place.holder is diff.ABSENT:
        above = _find(each.path[:-1], document)
        if above.holder is diff.ABSENT or each.old is diff.ABSENT:
            raise NotApplicableError(f"{diff.path_text(each.path[:-1])} is not there")
        made.append(_swap(above, diff.ABSENT, {}))
        place = dataclasses.replace(place, holder={})
    was = _value(place.holder, place.last)
    if isinstance(place.holder, list) and each.new is diff.ABSENT:
        place, was = _inserted(place, each.path, before), diff.ABSENT
    if was != each.new:
        raise NotApplicableError(f"{diff.path_text(each.path)} is not as it was told")
    swaps = [*made, _swap(place, was, each.old)]
    alone = isinstance(place.holder, Mapping) and set(place.holder) == {place.last}
    if each.old is diff.ABSENT and alone and _holder(each.path, before) is diff.ABSENT:
        swaps.append(_swap(_find(each.path[:-1], document), {}, diff.ABSENT))
    return swaps


def _swap(place: _Place, was: Any, wanted: Any) -> tuple[Operations, Operations]:
    others: list[Any] = []
    if isinstance(place.holder, list):
        others = list(place.holder)
        if was is not diff.ABSENT:
            del others[int(place.last)]
    there = _change(place, was, wanted, others)
    back = _change(place, wanted, was, others)
    return (*place.tests, *there), (*place.tests, *back)


def _change(place: _Place, was: Any, wanted: Any, others: Sequence[Any]) -> Operations:
    """One value for another, with the test that the first is there.

    A test for null passes only where nothing is.  ``others`` are the other elements of a list.
    """
    pointer = place.pointer
    if was is diff.ABSENT:
        absent = {"op": "test", "path": pointer, "value": None}
        test = _neighbour(place, others) if isinstance(place.holder, list) else absent
        return test, {"op": "add", "path": pointer, "value": wanted}
    test = {"op": "test", "path": pointer, "value": was}
    if wanted is diff.ABSENT:
        return test, {"op": "remove", "path": pointer}
    return test, {"op": "replace", "path": pointer, "value": wanted}


def _neighbour(place: _Place, others: Sequence[Any]) -> Operation:
    """A test of what is where an element is inserted: the one that follows, or the last one.

    An element that has a merge key is told by it: its other fields are nobody's business.
    """
    parent = place.pointer.rpartition("/")[0]
    if not others:
        return {"op": "test", "path": parent, "value": []}
    index = min(int(place.last), len(others) - 1)
    if place.key and _has(others[index], place.key):
        path = f"{parent}/{index}/{pointers.part(place.key)}"
        return {"op": "test", "path": path, "value": others[index][place.key]}
    return {"op": "test", "path": f"{parent}/{index}", "value": others[index]}


def _has(element: Any, key: str) -> bool:
    return isinstance(element, Mapping) and key in element


def _find(path: diff.Path, document: Any) -> _Place:
    """The place of a path; raises NotApplicableError when an element on the way is not there."""
    tests: list[Operation] = []
    pointer, holder, last = "", document, path[-1]
    for part in path[:-1]:
        index = _index(part, holder, path)
        holder = _value(holder, index)
        pointer = f"{pointer}/{pointers.part(index)}"
        if isinstance(part, diff.Element):
            key = f"{pointer}/{pointers.part(part.key)}"
            tests.append({"op": "test", "path": key, "value": part.value})
    if isinstance(last, diff.Element):
        at: str | int = _position(last, holder)
    else:
        at = last
    key = last.key if isinstance(last, diff.Element) else ""
    return _Place(f"{pointer}/{pointers.part(at)}", holder, at, tuple(tests), key)


def _index(part: diff.Part, holder: Any, path: diff.Path) -> str | int:
    if not isinstance(part, diff.Element):
        return part
    at = _position(part, holder)
    if not isinstance(holder, list) or at >= len(holder):
        raise NotApplicableError(f"{diff.path_text(path)}: no element {part.key}={part.value}")
    return at


def _position(part: diff.Element, holder: Any) -> int:
    """The place of the element with this merge key; one past the end when there is none."""
    elements = holder if isinstance(holder, list) else []
    found = (i for i, each in enumerate(elements) if _keyed(each, part))
    return next(found, len(elements))


def _keyed(each: Any, part: diff.Element) -> bool:
    return isinstance(each, Mapping) and each.get(part.key) == part.value


def _inserted(place: _Place, path: diff.Path, before: Any) -> _Place:
    """Where an element is to be again: where it was, if the list is still as long."""
    was = _find(path, before).last
    at = min(int(was), len(place.holder))
    pointer = f"{place.pointer.rpartition('/')[0]}/{at}"
    return dataclasses.replace(place, pointer=pointer, last=at)


def _holder(path: diff.Path, document: Any) -> Any:
    try:
        return _find(path, document).holder
    except NotApplicableError:
        return diff.ABSENT


def _value(holder: Any, at: str | int) -> Any:
    if isinstance(holder, Mapping):
        return holder.get(at, diff.ABSENT)
    if isinstance(holder, list) and isinstance(at, int):
        return holder[at] if 0 <= at < len(holder) else diff.ABSENT
    return diff.ABSENT


def apply(patch: Iterable[Operation], document: Any) -> Any:
    """The document after a patch of this module. Raises NotApplicableError as the server would."""
    changed = copy.deepcopy(document)
    for operation in patch:
        pointer = str(operation["path"])
        if pointer == WHOLE:
            raise NotApplicableError("a whole object is no field")
        try:
            if operation["op"] == "test":
                _test(pointer, operation.get("value"), changed)
            else:
                # Copied, too: later operations may write into the value.
                one = [copy.deepcopy(dict(operation))]
                changed = jsonpatch.apply_patch(changed, one, in_place=True)
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
            raise NotApplicableError(f"{pointer} is not there") from error
    return changed


def _test(pointer: str, wanted: Any, document: Any) -> None:
    """As the API server does, and not the library: null is told of what is not there, too."""
    place = jsonpointer.JsonPointer(pointer)
    holder, last = place.to_last(document)
    if last is None or not isinstance(holder, Mapping | list):
        raise NotApplicableError(f"{pointer} is not there")
    try:
        there = place.walk(holder, last)
    except jsonpointer.JsonPointerException:
        there = diff.ABSENT
    if (None if there is diff.ABSENT else there) != wanted:
        found = diff.value_text(there)
        raise NotApplicableError(f"{pointer} is {found}, not {diff.value_text(wanted)}")


def fits(patch: Sequence[Operation], document: Any) -> bool:
    """Whether the API server would carry a patch out on an object as it is."""
    try:
        apply(patch, document)
    except NotApplicableError:
        return False
    return True


def written(patch: Sequence[Operation], inverse: Sequence[Operation], document: Any) -> bool | None:
    """Whether an object is as a patch leaves it (True), as before it (False), or neither (None).

    An element can be inserted beside itself, so a patch that inserts may fit twice: then the
    removal of the other one, which is tested whole, tells.
    """
    there, back = fits(patch, document), fits(inverse, document)
    if there and back:
        return any(operation["op"] == "remove" for operation in inverse)
    return back if there or back else None


def holds(wanted: Any, there: Any) -> bool:
    """Whether an object is as it was wanted, whatever defaults the API server has added."""
    if isinstance(wanted, Mapping) and isinstance(there, Mapping):
        return all(key in there and holds(value, there[key]) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(there, list):
        return len(wanted) == len(there) and all(map(holds, wanted, there))
    return bool(wanted == there)
