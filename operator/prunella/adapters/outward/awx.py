"""AWX and Ansible Automation Controller: a job of a job template, with the key in its extra_vars.

The template must take variables on launch (``ask_variables_on_launch``, or a survey that has them):
others are ignored, the key too.
https://ansible.readthedocs.io/projects/awx/en/latest/
"""

from __future__ import annotations

import json
import re
from typing import Any

from prunella.adapters.outward import http, systems
from prunella.api import endpoints
from prunella.core.decisions import started

_ENDS = {
    "successful": systems.SUCCEEDED,
    "failed": systems.FAILED,
    "error": systems.FAILED,
    "canceled": systems.FAILED,
}
_NEWEST = {"order_by": "-counter", "page_size": 40}
"""Of a job's events: ``stdout`` is given from its beginning, and not at all beyond a MiB."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Awx:
    """The URL is https://HOST, or https://HOST/api/controller behind a gateway."""

    def start(self, web: http.Http, call: systems.Call, key: str) -> started.Run:
        """Launch; 201 with the job."""
        path = f"/api/v2/job_templates/{web.endpoint.job}/launch/"
        answer = systems.post(web, path, key, {"extra_vars": systems.values(call, key)})
        number = str(answer.json.get("job") or answer.json.get("id") or "")
        ignored = answer.json.get("ignored_fields") or {}
        told = "it was launched"
        if "extra_vars" in ignored:
            told += "; the template takes no variables on launch: they were ignored"
        return started.Run(systems.RUNNING, told, key, id=number)

    def find(self, web: http.Http, key: str) -> started.Run | None:
        """Among the newest jobs of the template."""
        path = f"/api/v2/job_templates/{web.endpoint.job}/jobs/"
        query = {"order_by": "-id", "page_size": systems.MOST_LISTED}
        for job in web.listed(path, "results", query):
            if _variables(job).get(endpoints.KEY) == key:
                return self._run(web, job, key)
        return None

    def look(self, web: http.Http, known: str, key: str) -> started.Run | None:
        """By its number."""
        answer = web.get(f"/api/v2/jobs/{int(known)}/")
        return None if answer is None else self._run(web, answer.json, key)

    def _run(self, web: http.Http, job: dict[str, Any], key: str) -> started.Run:
        number, word = int(job["id"]), job.get("status")
        state, log = systems.state(word, _ENDS), ""
        if state is not systems.RUNNING:
            events = web.listed(f"/api/v2/jobs/{number}/job_events/", "results", _NEWEST)
            lines = [str(each.get("stdout") or "") for each in reversed(list(events))]
            log = _COLOUR.sub("", "\n".join(line for line in lines if line))
        why = f": {job['job_explanation']}" if job.get("job_explanation") else ""
        url = f"{web.endpoint.url}/#/jobs/playbook/{number}"
        return started.Run(state, f"job {number}: {word}{why}", key, log, str(number), url)


def _variables(job: dict[str, Any]) -> dict[str, Any]:
    """Its extra_vars, which AWX keeps as JSON in a text."""
    try:
        found = json.loads(job.get("extra_vars") or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
