"""Rundeck: an execution of a job, with the key as one of its options, which it must declare.

https://docs.rundeck.com/docs/api/
"""

from __future__ import annotations

from typing import Any

from prunella.adapters.outward import http, systems
from prunella.api import endpoints
from prunella.core.decisions import started

_API = "/api/24"
"""The oldest version with all that is asked here, so that older servers answer as well."""
_ENDS = {
    "succeeded": systems.SUCCEEDED,
    "failed": systems.FAILED,
    "failed-with-retry": systems.FAILED,
    "aborted": systems.FAILED,
    "timedout": systems.FAILED,
    "missed": systems.FAILED,
}


class Rundeck:
    """The URL is https://HOST."""

    def start(self, web: http.Http, call: systems.Call, key: str) -> started.Run:
        """Run the job; the answer is the execution."""
        path = f"{_API}/job/{web.endpoint.job}/run"
        answer = systems.post(web, path, key, {"options": systems.values(call, key)})
        if "id" not in answer.json:
            return started.Run(systems.RUNNING, "it was started", key)
        return self._run(web, answer.json, key)

    def find(self, web: http.Http, key: str) -> started.Run | None:
        """Among the newest executions of the job."""
        path = f"{_API}/job/{web.endpoint.job}/executions"
        for each in web.listed(path, "executions", {"max": systems.MOST_LISTED}):
            options = (each.get("job") or {}).get("options") or {}
            if options.get(endpoints.KEY) == key:
                return self._run(web, each, key)
        return None

    def look(self, web: http.Http, known: str, key: str) -> started.Run | None:
        """By its number."""
        answer = web.get(f"{_API}/execution/{int(known)}")
        return None if answer is None else self._run(web, answer.json, key)

    def _run(self, web: http.Http, execution: dict[str, Any], key: str) -> started.Run:
        number, word = int(execution["id"]), execution.get("status")
        state, log = systems.state(word, _ENDS), ""
        if state is not systems.RUNNING:
            output = f"{_API}/execution/{number}/output"
            entries = web.listed(output, "entries", {"lastlines": 40})
            log = "\n".join(str(each.get("log") or "") for each in entries)
        url = str(execution.get("permalink") or "")
        return started.Run(state, f"execution {number}: {word}", key, log, str(number), url)
