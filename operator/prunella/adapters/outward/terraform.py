"""HCP Terraform (Terraform Cloud) and Terraform Enterprise: a run of a workspace, by the Runs API.

It is planned, and applied by nobody but a person: ``auto-apply`` is false whatever the workspace
says, and nothing else is ever posted.  The key is in the run's message.
https://developer.hashicorp.com/terraform/cloud-docs/api-docs/run
"""

from __future__ import annotations

import json
import re
from typing import Any

from prunella import ports
from prunella.adapters.outward import http, systems
from prunella.core.decisions import started

_API = "/api/v2"
_JSON_API = {"Content-Type": "application/vnd.api+json"}
_RUN_ID = re.compile(r"run-[A-Za-z0-9]+")
_ENDS = {
    "applied": systems.SUCCEEDED,
    "planned_and_finished": systems.SUCCEEDED,
    "errored": systems.FAILED,
    "discarded": systems.FAILED,
    "canceled": systems.FAILED,
    "force_canceled": systems.FAILED,
    "policy_soft_failed": systems.FAILED,
    "policy_override": systems.WAITING,
    "planned_and_saved": systems.WAITING,
}
_COUNTED = {
    "resource-imports": "to import",
    "resource-additions": "to add",
    "resource-changes": "to change",
    "resource-destructions": "to destroy",
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Terraform:
    """The URL is https://app.terraform.io or https://HOST; the job ORGANIZATION/WORKSPACE."""

    def start(self, web: http.Http, call: systems.Call, key: str) -> started.Run:
        """Create the run; 201 with it."""
        workspace = _workspace(web)
        target = "{kind} {namespace}/{name}".format_map(call["target"])
        variables = [
            {"key": name.lower(), "value": literal(value)}
            for name, value in call["parameters"].items()
        ]
        attributes = {
            "message": f"Prunella remediation {key} for {target}",
            "auto-apply": False,
            "is-destroy": False,
            "variables": variables,
        }
        of = {"workspace": {"data": {"type": "workspaces", "id": workspace}}}
        content = {"data": {"type": "runs", "attributes": attributes, "relationships": of}}
        answer = web.send("POST", f"{_API}/runs", key, json.dumps(content).encode(), _JSON_API)
        if "data" not in answer.json:
            return started.Run(systems.RUNNING, "it was created", key)
        return _run(web, answer.json["data"], {}, key)

    def find(self, web: http.Http, key: str) -> started.Run | None:
        """Among the newest runs of the workspace, by their messages."""
        path = f"{_API}/workspaces/{_workspace(web)}/runs"
        for run in web.listed(path, "data", {"page[size]": systems.MOST_LISTED}):
            if key in str(run["attributes"].get("message") or "").split():
                return self.look(web, str(run["id"]), key)
        return None

    def look(self, web: http.Http, known: str, key: str) -> started.Run | None:
        """By its id, with its plan."""
        if not _RUN_ID.fullmatch(known):
            return self.find(web, key)
        answer = web.get(f"{_API}/runs/{known}", {"include": "plan"})
        if answer is None:
            return None
        beside = answer.json.get("included") or ()
        plans = (each["attributes"] for each in beside if each.get("type") == "plans")
        return _run(web, answer.json["data"], next(plans, {}), key)


def literal(value: str) -> str:
    """A text as an expression of Terraform's language, which values of a run's variables are."""
    text = value.replace("\\", "\\\\").replace('"', '\\"')
    text = text.replace("${", "$${").replace("%{", "%%{")
    return '"' + _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + '"'


def _workspace(web: http.Http) -> str:
    """The id of the workspace. Raises ClusterError without one."""
    organization, name = web.endpoint.job.split("/")
    answer = web.get(f"{_API}/organizations/{organization}/workspaces/{name}")
    if answer is None:
        raise ports.ClusterError(f"workspace {web.endpoint.job} is not there, or hidden (404)")
    return str(answer.json["data"]["id"])


def _run(web: http.Http, run: dict[str, Any], plan: dict[str, Any], key: str) -> started.Run:
    name, attributes = str(run["id"]), run["attributes"]
    word = str(attributes.get("status") or "")
    state = systems.state(word, _ENDS)
    if state is systems.RUNNING and (attributes.get("actions") or {}).get("is-confirmable"):
        state = systems.WAITING
    organization, workspace = web.endpoint.job.split("/")
    url = f"{web.endpoint.url}/app/{organization}/workspaces/{workspace}/runs/{name}"
    told = ", ".join(filter(None, (word, _counted(plan))))
    if state is systems.WAITING:
        told += f"; apply or discard it at {url}"
    return started.Run(state, f"{name}: {told}", key, id=name, url=url)


def _counted(plan: dict[str, Any]) -> str:
    """What a plan would do; empty until it is known."""
    if plan.get("status") != "finished":
        return ""
    counts = [(plan.get(field) or 0, words) for field, words in _COUNTED.items()]
    return ", ".join(f"{count} {words}" for count, words in counts if count) or "nothing to change"
