"""AWS Lambda: a function is invoked and its answer waited for, by the Invoke API.

``RequestResponse``: AWS does not repeat such an invocation, as it does asynchronous ones.  Nothing
there knows the key, so an answer that was lost is for a person.  The function is given the key.
https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import base64
import binascii

from prunella.adapters.outward import http, systems
from prunella.core.decisions import started

_HEADERS = {
    **systems.JSON,
    "X-Amz-Invocation-Type": "RequestResponse",
    "X-Amz-Log-Type": "Tail",
}


class AwsLambda:
    """The URL is https://lambda.REGION.amazonaws.com; the job FUNCTION or FUNCTION:ALIAS."""

    def start(self, web: http.Http, call: systems.Call, key: str) -> started.Run:
        """Invoke it; 200 with what it returns, whether it has failed or not."""
        name, _, qualifier = web.endpoint.job.partition(":")
        path = f"/2015-03-31/functions/{name}/invocations"
        query = {"Qualifier": qualifier} if qualifier else {}
        body = systems.body(call, key)
        answer = web.send("POST", path, key, body, _HEADERS, query)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        failed = headers.get("x-amz-function-error")
        told = answer.json if isinstance(answer.json, dict) else {}
        words = str(told.get("errorMessage") or told.get("message") or "")
        return started.Run(
            systems.FAILED if failed else systems.SUCCEEDED,
            ": ".join(filter(None, (failed, words))) or f"it has answered {answer.status}",
            key,
            _log(headers.get("x-amz-log-result", "")),
            headers.get("x-amzn-requestid", ""),
        )

    def find(self, web: http.Http, key: str) -> started.Run | None:  # noqa: ARG002
        """Nobody can tell."""
        return None

    def look(self, web: http.Http, known: str, key: str) -> started.Run | None:  # noqa: ARG002
        """Its answer was its end."""
        return None


def _log(encoded: str) -> str:
    """The last 4 KiB of the log."""
    try:
        return base64.b64decode(encoded).decode(errors="replace")
    except binascii.Error:
        return ""
