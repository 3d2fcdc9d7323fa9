"""GitLab: a pipeline of a project, with the key as one of its variables.

https://docs.gitlab.com/api/pipelines/
"""

from __future__ import annotations

from typing import Any
from urllib import parse

from prunella.adapters.outward import http, systems
from prunella.api import endpoints
from prunella.core.decisions import started

_ENDS = {
    "success": systems.SUCCEEDED,
    "failed": systems.FAILED,
    "canceled": systems.FAILED,
    "skipped": systems.FAILED,
    "manual": systems.WAITING,
}
_MOST_ASKED = 20
"""Newest pipelines whose variables are asked for, one request each."""


class GitLab:
    """The URL is https://HOST/api/v4."""

    def start(self, web: http.Http, call: systems.Call, key: str) -> started.Run:
        """Create a pipeline; the answer is the pipeline."""
        variables = [{"key": k, "value": v} for k, v in systems.values(call, key).items()]
        content = {"ref": web.endpoint.ref, "variables": variables}
        answer = systems.post(web, f"{_project(web)}/pipeline", key, content)
        if "id" not in answer.json:
            return started.Run(systems.RUNNING, "it was created", key)
        return _run(answer.json, key)

    def find(self, web: http.Http, key: str) -> started.Run | None:
        """Among the newest pipelines that were made by the API, by their variables."""
        query = {"source": "api", "order_by": "id", "sort": "desc", "per_page": _MOST_ASKED}
        answer = web.get(f"{_project(web)}/pipelines", query)
        for pipeline in answer.json if answer is not None else ():
            number = int(pipeline["id"])
            given = web.get(f"{_project(web)}/pipelines/{number}/variables")
            wanted = {"key": endpoints.KEY, "value": key}
            for each in given.json if given is not None else ():
                if wanted.items() <= each.items():
                    return _run(pipeline, key)
        return None

    def look(self, web: http.Http, known: str, key: str) -> started.Run | None:
        """By its number."""
        answer = web.get(f"{_project(web)}/pipelines/{int(known)}")
        return None if answer is None else _run(answer.json, key)


def _project(web: http.Http) -> str:
    return f"/projects/{parse.quote(web.endpoint.job, safe='')}"


def _run(pipeline: dict[str, Any], key: str) -> started.Run:
    number, word = pipeline["id"], pipeline.get("status")
    waits = "; a person must start it" if word == "manual" else ""
    told = f"pipeline {number}: {word}{waits}"
    url = str(pipeline.get("web_url") or "")
    return started.Run(systems.state(word, _ENDS), told, key, id=str(number), url=url)
