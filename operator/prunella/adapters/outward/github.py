"""GitHub Actions: a run of a workflow by ``workflow_dispatch``.

The answer to a dispatch names no run, or not on all versions.  The workflow must declare the input
of the key and have it in its ``run-name``: the run is found by its title.
https://docs.github.com/en/rest/actions/workflows and /workflow-runs
"""

from __future__ import annotations

from typing import Any

from prunella.adapters.outward import http, systems
from prunella.core.decisions import started


class GitHub:
    """The URL is https://api.github.com, or https://HOST/api/v3."""

    def start(self, web: http.Http, call: systems.Call, key: str) -> started.Run:
        """Dispatch; 204, or 200 with the run."""
        content = {"ref": web.endpoint.ref, "inputs": systems.values(call, key)}
        answer = systems.post(web, f"{_workflow(web)}/dispatches", key, content)
        number = answer.json.get("workflow_run_id") or ""
        url = str(answer.json.get("html_url") or "")
        return started.Run(systems.RUNNING, "it was dispatched", key, id=str(number), url=url)

    def find(self, web: http.Http, key: str) -> started.Run | None:
        """Among the newest runs that were dispatched."""
        query = {"event": "workflow_dispatch", "per_page": systems.MOST_LISTED}
        for run in web.listed(f"{_workflow(web)}/runs", "workflow_runs", query):
            if key in str(run.get("display_title") or "").split():
                return _run(run, key)
        return None

    def look(self, web: http.Http, known: str, key: str) -> started.Run | None:
        """By its number."""
        owner, repository, _ = web.endpoint.job.split("/")
        answer = web.get(f"/repos/{owner}/{repository}/actions/runs/{int(known)}")
        return None if answer is None else _run(answer.json, key)


def _workflow(web: http.Http) -> str:
    owner, repository, workflow = web.endpoint.job.split("/")
    return f"/repos/{owner}/{repository}/actions/workflows/{workflow}"


def _run(run: dict[str, Any], key: str) -> started.Run:
    state, word = systems.RUNNING, str(run.get("status") or "")
    if word == "completed":
        word = str(run.get("conclusion") or "")
        state = systems.SUCCEEDED if word == "success" else systems.FAILED
    return started.Run(
        state, f"run {run['id']}: {word}", key, id=str(run["id"]), url=str(run["html_url"])
    )
