"""Systems outside the cluster that policies may ask to do something."""

from __future__ import annotations

import enum
import pathlib
import re
from typing import Annotated, Self

import pydantic

from prunella.api import base, offered

KEY = "PRUNELLA_REMEDIATION"
"""The parameter by which a run is found again: the name of the Remediation."""
_URL = re.compile(r"https?://[^/\s@?#]+(/[^\s?#]*)?")
_HEADER = r"^[A-Za-z][A-Za-z0-9-]{0,63}$"
_VALUE = r"^[\x20-\x7e]*$"
_NEEDS_JOB = {
    "jenkins": "the job, such as folder/job/restart",
    "gitHub": "owner/repository/workflow.yaml",
    "gitLab": "the project, by number or as group/project",
    "awx": "the number of the job template",
    "rundeck": "the UUID of the job",
    "terraform": "organization/workspace",
    "awsLambda": "the function, or function:alias",
}
_JOBS = {
    "jenkins": r"[\w .%-]+(/job/[\w .%-]+)*",
    "gitHub": r"[\w.-]+/[\w.-]+/[\w.-]+",
    "gitLab": r"[\w.-]+(/[\w.-]+)*",
    "awx": r"[0-9]+",
    "rundeck": r"[\w-]+",
    "terraform": r"[\w-]+/[\w-]+",
    "awsLambda": r"[\w-]{1,64}(:[\w$-]{1,128})?",
}


class EndpointKind(enum.StrEnum):
    """Whose API it has."""

    GENERIC = "generic"
    JENKINS = "jenkins"
    GITHUB = "gitHub"
    GITLAB = "gitLab"
    AWX = "awx"
    RUNDECK = "rundeck"
    TERRAFORM = "terraform"
    AWS_LAMBDA = "awsLambda"


class SigV4(base.ApiModel):
    """AWS Signature Version 4, by the default chain of AWS credentials; the extra ``aws``."""

    region: Annotated[str, pydantic.Field(pattern=r"^[a-z0-9-]+$")]
    service: Annotated[str, pydantic.Field(pattern=r"^[a-z0-9-]+$")] = "lambda"
    """The name to sign for: ``lambda`` also for URLs of functions, ``execute-api`` for gateways."""
    role_arn: (
        Annotated[str, pydantic.Field(pattern=r"^arn:[a-z0-9-]+:iam::[0-9]{12}:role/.+$")] | None
    ) = None
    """A role to assume with the chain's credentials."""


class Poll(base.ApiModel):
    """Where a generic receiver tells how far it has come, as JSON."""

    path: Annotated[str, pydantic.Field(pattern=r"^/[^\s?#]*$", max_length=512)]
    """Beneath the URL; ``{key}`` stands for the record's name."""
    field: Annotated[str, pydantic.Field(pattern=r"^\w+(\.\w+)*$")] = "state"
    """Where the state is in the answer."""
    succeeded: tuple[str, ...] = ("Succeeded",)
    failed: tuple[str, ...] = ("Failed",)


class Endpoint(offered.Offer):
    """A receiver. A policy names it, and fills in the parameters that are declared here."""

    kind: EndpointKind = EndpointKind.GENERIC
    url: Annotated[str, pydantic.Field(max_length=512)]
    """Without credentials or a query; nothing else is ever called, and no redirect is followed."""
    job: Annotated[str, pydantic.Field(max_length=253)] = ""
    """What is started there: see the kinds."""
    ref: Annotated[str, pydantic.Field(pattern=r"^[\w./-]{1,200}$")] = "main"
    """Branch or tag, of GitHub and GitLab."""
    headers: dict[
        Annotated[str, pydantic.Field(pattern=_HEADER)],
        Annotated[str, pydantic.Field(pattern=_VALUE)],
    ] = pydantic.Field(default_factory=dict)
    header_files: dict[Annotated[str, pydantic.Field(pattern=_HEADER)], pathlib.Path] = (
        pydantic.Field(default_factory=dict)
    )
    """Headers whose value is what the file holds, such as ``Authorization``."""
    hmac_secret_file: pathlib.Path | None = None
    """Of generic receivers: what the body is signed with, in ``X-Prunella-Signature-256``."""
    sig_v4: SigV4 | None = None
    """Of AWS Lambda, and of generic receivers such as the URL of a function."""
    ca_file: pathlib.Path | None = None
    timeout_seconds: Annotated[float, pydantic.Field(ge=1, le=60)] = 10.0
    """For each request."""
    deadline_seconds: Annotated[int, pydantic.Field(ge=10, le=86_400)] = 900
    """For the run as a whole."""
    poll: Poll | None = None
    """Generic only; without it the answer to the request is the end."""

    @pydantic.field_validator("url")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not _URL.fullmatch(value):
            wanted = "http(s)://HOST/PATH without user, query or fragment"
            raise ValueError(f"must be {wanted}: credentials belong into headerFiles")
        return value.rstrip("/")

    @pydantic.model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        """Make sure that it says what is started, and nothing that its kind would not look at."""
        kind = self.kind.value
        if self.kind is EndpointKind.GENERIC:
            self._check_proof()
            if self.job:
                raise ValueError("job: a generic receiver has none, its URL says what is meant")
            return self
        if not re.fullmatch(_JOBS[kind], self.job):
            raise ValueError(f"job: {kind} needs {_NEEDS_JOB[kind]}; found {self.job!r}")
        signs = self.kind is EndpointKind.AWS_LAMBDA
        if signs and self.sig_v4 is None:
            raise ValueError("sigV4: awsLambda needs the region to sign for")
        if self.sig_v4 is not None and not signs:
            raise ValueError(f"sigV4 is for awsLambda and generic receivers, not for {kind}")
        self._check_proof()
        if self.poll is not None or self.hmac_secret_file is not None:
            raise ValueError(f"poll and hmacSecretFile are for generic receivers, not for {kind}")
        return self

    def _check_proof(self) -> None:
        """Make sure that it is plain by what the operator proves who it is."""
        given = {name.lower() for name in (*self.headers, *self.header_files)}
        if self.sig_v4 is not None and "authorization" in given:
            raise ValueError("sigV4 gives the header Authorization: leave it out of the others")
