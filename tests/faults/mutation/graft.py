"""Put a fault into a module that is imported already, or that is about to be.

What was imported by name elsewhere stays the same function: only its code is another one.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import pathlib
import sys
import types
from collections.abc import Iterator, Sequence
from types import CodeType, FunctionType, ModuleType

from tests.faults.mutation import mutate

FILE, SOURCE = "PRUNELLA_MUTANT_FILE", "PRUNELLA_MUTANT_SOURCE"
"""What file is to be imported otherwise, and where its other source is."""


def graft(module: ModuleType, mutant: mutate.Mutant) -> bool:
    """Give the functions of a module the code of the mutant; False: it was not found there."""
    whole = compile(mutant.source, module.__file__ or "", "exec")
    codes = dict(_codes(whole))
    for name, function in _functions(module):
        if name == mutant.function and name in codes:
            function.__code__ = codes[name].replace(co_freevars=function.__code__.co_freevars)
            return True
    return False


def _codes(code: CodeType, prefix: str = "") -> Iterator[tuple[str, CodeType]]:
    """Codes of functions and methods by their names."""
    for each in code.co_consts:
        if isinstance(each, CodeType):
            name = f"{prefix}{each.co_name}"
            yield name, each
            if not prefix:
                yield from _codes(each, f"{name}.")


def _functions(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    for name, value in vars(module).items():
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            yield name, value
        if isinstance(value, type) and value.__module__ == module.__name__:
            for inner, each in vars(value).items():
                found = each.fget if isinstance(each, property) else each
                if isinstance(found, FunctionType):
                    yield f"{value.__name__}.{inner}", found


class _Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname: str) -> types.CodeType:
        return compile(
            pathlib.Path(os.environ[SOURCE]).read_text(), self.get_filename(fullname), "exec"
        )


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        found = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if found is None or found.origin != os.environ[FILE]:
            return None
        return importlib.util.spec_from_file_location(
            fullname, found.origin, loader=_Loader(fullname, found.origin or "")
        )


def install() -> None:
    """Let one file be imported from another source."""
    sys.meta_path.insert(0, _Finder())


if FILE in os.environ:  # As ``pytest -p tests.faults.mutation.graft``: before anything else.
    install()
