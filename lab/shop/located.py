"""YAML that knows its lines, so that an error names file and line."""

from __future__ import annotations

import dataclasses
import math
import pathlib
import string
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import yaml

from lab.binaries import LabError


@dataclasses.dataclass(frozen=True, slots=True)
class Located:
    """A value of a YAML file, and where it stands."""

    path: pathlib.Path
    node: yaml.Node
    value: Any

    @property
    def where(self) -> str:
        """File and line, as editors take them."""
        return f"{self.path}:{self.node.start_mark.line + 1}"

    def error(self, what: str) -> LabError:
        """An error at this place."""
        return LabError(f"{self.where}: {what}")

    def items(self) -> Iterator[tuple[str, Located]]:
        """The members of a mapping; LabError when it is none."""
        if not isinstance(self.node, yaml.MappingNode) or not isinstance(self.value, dict):
            raise self.error(f"found {_named(self.value)}, wanted a mapping")
        for (_, node), (key, value) in zip(self.node.value, self.value.items(), strict=True):
            yield key, Located(self.path, node, value)

    def elements(self) -> list[Located]:
        """The elements of a list; LabError when it is none."""
        if not isinstance(self.node, yaml.SequenceNode) or not isinstance(self.value, list):
            raise self.error(f"found {_named(self.value)}, wanted a list")
        pairs = zip(self.node.value, self.value, strict=True)
        return [Located(self.path, node, value) for node, value in pairs]

    def fields(self, known: Collection[str], needed: Collection[str] = ()) -> dict[str, Located]:
        """The members of a mapping that may have only ``known`` keys and must have ``needed``."""
        found = dict(self.items())
        for key, member in found.items():
            if key not in known:
                raise member.error(f"unknown key {key!r}: known are {', '.join(sorted(known))}")
        for key in needed:
            if key not in found:
                raise self.error(f"{key!r} is missing")
        return found

    def text(self) -> str:
        """A string that is not empty."""
        if not isinstance(self.value, str) or not self.value:
            raise self.error(f"found {_named(self.value)}, wanted a text")
        return self.value

    def number(self) -> float:
        """A number that is not negative."""
        right = isinstance(self.value, (int, float)) and not isinstance(self.value, bool)
        if not right or not 0 <= self.value < math.inf:
            raise self.error(f"found {self.value!r}, wanted a number of 0 or more")
        return float(self.value)

    def count(self) -> int:
        """A whole number that is not negative."""
        if not self.number().is_integer():
            raise self.error(f"found {self.value!r}, wanted a whole number")
        return int(self.value)

    def boolean(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            raise self.error(f"found {self.value!r}, wanted true or false")
        return self.value


def read(path: pathlib.Path, variables: Mapping[str, str]) -> list[Located]:
    """The documents of a file in which ``${NAME}`` was replaced; LabError when it can't be read."""
    try:
        text = string.Template(path.read_text()).safe_substitute(variables)
        nodes = [each for each in yaml.compose_all(text, Loader=yaml.SafeLoader) if each]
        values = [each for each in yaml.safe_load_all(text) if each is not None]
    except OSError as error:
        raise LabError(f"{path}: cannot be read: {error.strerror}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise LabError(f"{path}:{line}: not YAML: {error.problem}") from error
    return [
        Located(path, node, value)
        for node, value in zip(nodes, values, strict=False)
        if value is not None
    ]


def _named(value: Any) -> str:
    kinds = {dict: "a mapping", list: "a list", type(None): "nothing"}
    return kinds.get(type(value), repr(value))
