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
    "Lambda without a region": (
        {"kind": "awsLambda", "job": "restart"},
        "sigV4: awsLambda needs the region to sign for",
    ),
    "a signature for others": (
        {"sigV4": {"region": "eu-central-1"}},
        "sigV4 is for awsLambda and generic receivers, not for rundeck",
    ),
    "two proofs": (
        {
            "kind": "generic",
            "job": "",
            "sigV4": {"region": "eu-central-1"},
            "headerFiles": {"authorization": "/token"},
        },
        "sigV4 gives the header Authorization: leave it out of the others",
    ),
    "a workspace without its organization": (
        {"kind": "terraform", "job": "shop"},
        "job: terraform needs organization/workspace; found 'shop'",
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
    "terraform": "acme/shop-db",
}


@pytest.mark.parametrize(("kind", "job"), TAKEN.items(), ids=TAKEN)
def test_jobs_are_named_as_each_system_does(kind: str, job: str) -> None:
    """What its documentation calls it."""
    assert job == endpoint(kind=kind, job=job).job


@pytest.mark.parametrize("job", ["restart-db", "restart-db:live", "restart-db:$LATEST"])
def test_a_function_is_named_with_its_alias(job: str) -> None:
    """As AWS does; a whole ARN has an account and a region of its own, and is not taken."""
    signed = {"region": "eu-central-1"}
    found = endpoint(kind="awsLambda", job=job, sigV4=signed)
    assert (job, "lambda") == (found.job, found.sig_v4.service if found.sig_v4 else "")
    with pytest.raises(pydantic.ValidationError, match="needs the function, or function:alias"):
        endpoint(kind="awsLambda", job=f"arn:aws:lambda:eu-central-1:123456789012:{job}")
