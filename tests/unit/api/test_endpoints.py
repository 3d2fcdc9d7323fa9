"""Endpoints that can't be meant are refused, in words."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest

from prunella.api import endpoints


def endpoint(**changes: Any) -> endpoints.Endpoint:
    """A job of Rundeck's."""
    document = {
        "kind": "rundeck",
        "url": "https://rundeck.example",
        "job": "5f3c-uuid",
        "namespaces": ["shop"],
        "parameters": {"HOST": {"pattern": "db-[0-9]"}},
        **changes,
    }
    return endpoints.Endpoint.model_validate(document)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "credentials in the URL": (
        {"url": "https://me:secret@rundeck.example"},
        "without user, query or fragment: credentials belong into headerFiles",
    ),
    "a token in the URL": ({"url": "https://rundeck.example/?token=x"}, "without user, query"),
    "another protocol": ({"url": "file:///etc/passwd"}, "must be http(s)://HOST/PATH"),
    "no job": ({"job": ""}, "job: rundeck needs the UUID of the job; found ''"),
    "a way out of the path": ({"job": "../../system"}, "job: rundeck needs the UUID of the job"),
    "another system's job": (
        {"kind": "gitHub", "job": "shop"},
        "job: gitHub needs owner/repository/workflow.yaml; found 'shop'",
    ),
    "a job of a receiver without any": (
        {"kind": "generic"},
        "job: a generic receiver has none, its URL says what is meant",
    ),
    "a signature that nobody checks": (
        {"hmacSecretFile": "/etc/hmac"},
        "poll and hmacSecretFile are for generic receivers, not for rundeck",
    ),
    "a header with a line's end": ({"headers": {"X-Team": "a\nHost: b"}}, "should match pattern"),
    "an unknown kind": ({"kind": "teamcity"}, "'generic', 'jenkins', 'gitHub'"),
}


@pytest.mark.parametrize(("changes", "words"), REFUSED.values(), ids=REFUSED)
def test_an_endpoint_that_can_not_be_meant_is_refused(changes: dict[str, Any], words: str) -> None:
    """The administrator is told which field, what was found and what is wanted."""
    with pytest.raises(pydantic.ValidationError) as caught:
        endpoint(**changes)
    assert words in str(caught.value)


TAKEN = {
    "jenkins": "folder/job/restart",
    "gitHub": "acme/shop/restart.yaml",
    "gitLab": "acme/team/shop",
    "awx": "7",
}


@pytest.mark.parametrize(("kind", "job"), TAKEN.items(), ids=TAKEN)
def test_jobs_are_named_as_each_system_does(kind: str, job: str) -> None:
    """What its documentation calls it."""
    assert job == endpoint(kind=kind, job=job).job
