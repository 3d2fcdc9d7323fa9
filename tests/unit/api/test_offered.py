"""What administrators offer: a template that can't be meant is refused, in words."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest

from prunella.api import offered, steps

IMAGE = f"registry.example/tools/redis@sha256:{'a' * 64}"
PREFIX = {"pattern": "[a-z]+:"}


def template(**changes: Any) -> offered.JobTemplate:
    """A template of a Job."""
    document = {
        "namespaces": ["shop"],
        "image": IMAGE,
        "serviceAccount": "cache-purger",
        "parameters": {"PREFIX": PREFIX},
        **changes,
    }
    return offered.JobTemplate.model_validate(document)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a tag": ({"image": "redis:7"}, "'redis:7' is not pinned by digest: a tag can be moved"),
    "a short digest": ({"image": "redis@sha256:abc"}, "is not pinned by digest"),
    "no namespace": ({"namespaces": []}, "at least 1 item"),
    "a broken pattern": ({"parameters": {"A": {"pattern": "["}}}, "is no regular expression"),
    "a default that does not match": (
        {"parameters": {"A": {"pattern": "[a-z]+", "default": "7"}}},
        "default '7' does not match '[a-z]+'",
    ),
    "a parameter in the command": (
        {"args": ["--match=$(PREFIX)*"]},
        "$(PREFIX) in command or args: parameters are environment variables only",
    ),
    "a parameter that is a variable": ({"env": {"PREFIX": "x"}}, "both a parameter and a variable"),
    "a loader's variable": (
        {"parameters": {"LD_PRELOAD": PREFIX}},
        "LD_PRELOAD can't be a parameter: it would change what runs",
    ),
    "a name that is no variable": ({"parameters": {"a-b": PREFIX}}, "String should match pattern"),
    "root": ({"runAsUser": 0}, "greater than or equal to 1"),
    "an end that nobody could see": ({"ttlSecondsAfterFinished": 10}, "greater than or equal"),
}


@pytest.mark.parametrize(("changes", "words"), REFUSED.values(), ids=REFUSED)
def test_a_template_that_can_not_be_meant_is_refused(changes: dict[str, Any], words: str) -> None:
    """The administrator is told which field, what was found and what is wanted."""
    with pytest.raises(pydantic.ValidationError) as caught:
        template(**changes)
    assert words in str(caught.value)


GIVEN: dict[str, tuple[dict[str, str], list[str]]] = {
    "as declared": ({"PREFIX": "cart:"}, []),
    "missing": ({}, ["parameters.PREFIX is missing and has no default"]),
    "in part": (
        {"PREFIX": "cart: *"},
        ["parameters.PREFIX: 'cart: *' does not match '[a-z]+:'"],
    ),
    "with a line's end": (
        {"PREFIX": "cart:\n"},
        ["parameters.PREFIX: 'cart:\\n' does not match '[a-z]+:'"],
    ),
    "not declared": (
        {"PREFIX": "cart:", "HOST": "x"},
        ["parameters.HOST is not declared; declared: PREFIX"],
    ),
}


@pytest.mark.parametrize(("given", "expected"), GIVEN.values(), ids=GIVEN)
def test_values_must_match_as_a_whole(given: dict[str, str], expected: list[str]) -> None:
    """A value is taken only as its pattern describes it from the first to the last character."""
    assert expected == [*template().problems(given)]


@pytest.mark.parametrize(
    ("namespaces", "expected"), [(["shop"], True), (["*"], True), (["sho*", "web"], False)]
)
def test_namespaces_are_named_one_by_one(namespaces: list[str], *, expected: bool) -> None:
    """A star alone means all; within a name it means nothing."""
    assert expected is template(namespaces=namespaces).allows("shop")


def test_names_of_parameters_are_checked_in_the_policy() -> None:
    """Offline, as the API server does it."""
    with pytest.raises(pydantic.ValidationError) as caught:
        steps.RunJob.model_validate({"template": "purge", "parameters": {"a b": "x"}})
    assert "like environment variables: A-Z, 0-9 and _; found 'a b'" in str(caught.value)
