"""Small servers that answer as the documented APIs of the systems outside do.

Each keeps what was started, by key; a test says how it ends, and what goes wrong on the way.
"""

# ruff: noqa: D102 - Receiver says what the methods do
from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from urllib import parse

Reply = tuple[int, Mapping[str, str], object]
"""Status, headers, and a text or what is sent as JSON."""
KEY = "PRUNELLA_REMEDIATION"
LONG_LOG = "a line\n" * 200_000 + "the last line\n"
"""More than a MiB."""
NOT_FOUND: Reply = (404, {}, {"message": "not found"})


class Asked:
    """One request as it came."""

    def __init__(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        split = parse.urlsplit(target)
        self.method, self.path = method, split.path
        self.query = dict(parse.parse_qsl(split.query))
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Receiver:
    """A server on a port of its own; ``answer`` is the API."""

    token: ClassVar[tuple[str, str]] = ("Authorization", "Bearer s3cr3t-token")
    job = ""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.effects: list[str] = []
        """Keys of what was started."""
        self.ended: dict[str, bool] = {}
        self.trouble: Callable[[Asked], Reply | None] = lambda _: None
        """Answers in place of the API."""
        self.loses = False
        """Whether what starts something is carried out, and the connection breaks then."""
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def _handle(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                asked = Asked(
                    self.command, self.path, dict(self.headers.items()), self.rfile.read(length)
                )
                receiver.asked.append(asked)
                status, headers, content = receiver.trouble(asked) or receiver.checked(asked)
                if receiver.loses and asked.method == "POST":
                    self.close_connection = True
                    return
                text = content if isinstance(content, str) else json.dumps(content)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                data = b"" if status == 204 else text.encode()
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(data)

            do_GET = do_POST = _handle  # noqa: N815 - the names that http.server looks for

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """End the server."""
        self.server.shutdown()
        self.server.server_close()

    def checked(self, asked: Asked) -> Reply:
        """The API's answer to whoever has the token."""
        name, value = self.token
        if asked.headers.get(name.lower()) != value:
            return 401, {}, {"message": "who are you?"}
        return self.answer(asked)

    def answer(self, asked: Asked) -> Reply:
        """The API."""
        raise NotImplementedError

    def number(self, key: str) -> int:
        """The number of what has this key, from 1."""
        return self.effects.index(key) + 1

    def key(self, number: str) -> str | None:
        """The key of a number."""
        place = int(number) - 1
        return self.effects[place] if place < len(self.effects) else None


class GenericReceiver(Receiver):
    """One that honours the header ``Idempotency-Key``."""

    extra: ClassVar[Mapping[str, Any]] = {"poll": {"path": "/state/{key}"}}

    def answer(self, asked: Asked) -> Reply:
        if asked.method == "POST":
            key = asked.headers["idempotency-key"]
            assert key == asked.json["remediation"]
            if key not in self.effects:
                self.effects.append(key)
            return 202, {}, {"url": f"{self.url}/shown/{key}"}
        key = asked.path.rpartition("/")[2]
        if key not in self.effects:
            return NOT_FOUND
        words = {None: "Running", True: "Succeeded", False: "Failed"}
        state, url = words[self.ended.get(key)], f"{self.url}/shown/{key}"
        return 200, {}, {"state": state, "url": url, "log": "a line\nthe last line"}


class Jenkins(Receiver):
    """https://www.jenkins.io/doc/book/using/remote-access-api/."""

    token = ("Authorization", "Basic czNjcjN0LXRva2Vu")
    job = "shop/job/restart"

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/job/shop/job/restart/buildWithParameters":
            form = dict(parse.parse_qsl(asked.body.decode()))
            self.effects.append(form[KEY])
            return 201, {"Location": f"{self.url}/queue/item/{len(self.effects)}/"}, ""
        if asked.path == "/queue/api/json":
            return 200, {}, {"items": []}
        parts = asked.path.strip("/").split("/")
        if parts[:2] == ["queue", "item"]:
            return 200, {}, {"executable": {"number": int(parts[2])}}
        if asked.path == "/job/shop/job/restart/api/json":
            builds = [self._build(key) for key in reversed(self.effects)]
            return 200, {}, {"builds": builds}
        if parts[-1] == "progressiveText":
            start = int(asked.query["start"])
            log = LONG_LOG if start <= len(LONG_LOG) else ""
            return 200, {"X-Text-Size": str(len(log))}, log[start:]
        key = self.key(parts[4])
        return NOT_FOUND if key is None else (200, {}, self._build(key))

    def _build(self, key: str) -> dict[str, Any]:
        number, ended = self.number(key), self.ended.get(key)
        return {
            "number": number,
            "url": f"{self.url}/job/shop/job/restart/{number}/",
            "building": ended is None,
            "result": {None: None, True: "SUCCESS", False: "FAILURE"}[ended],
            "actions": [{}, {"parameters": [{"name": KEY, "value": key}]}],
        }


class GitHub(Receiver):
    """https://docs.github.com/en/rest/actions/workflows."""

    job = "acme/shop/restart.yaml"

    def answer(self, asked: Asked) -> Reply:
        workflow = "/repos/acme/shop/actions/workflows/restart.yaml"
        if asked.path == f"{workflow}/dispatches":
            assert "main" == asked.json["ref"]
            self.effects.append(asked.json["inputs"][KEY])
            return 204, {}, ""
        if asked.path == f"{workflow}/runs":
            runs = [self._run(key) for key in reversed(self.effects)]
            return 200, {}, {"total_count": len(runs), "workflow_runs": runs}
        key = self.key(asked.path.rpartition("/")[2])
        return NOT_FOUND if key is None else (200, {}, self._run(key))

    def _run(self, key: str) -> dict[str, Any]:
        number, ended = self.number(key), self.ended.get(key)
        return {
            "id": number,
            "display_title": f"restart {key}",
            "status": "in_progress" if ended is None else "completed",
            "conclusion": {None: None, True: "success", False: "failure"}[ended],
            "html_url": f"{self.url}/acme/shop/actions/runs/{number}",
        }


class GitLab(Receiver):
    """https://docs.gitlab.com/api/pipelines/."""

    token = ("PRIVATE-TOKEN", "glpat-s3cr3t-token")
    job = "acme/shop"

    def answer(self, asked: Asked) -> Reply:
        project = "/projects/acme%2Fshop"
        if asked.path == f"{project}/pipeline":
            given = {each["key"]: each["value"] for each in asked.json["variables"]}
            self.effects.append(given[KEY])
            return 201, {}, self._pipeline(given[KEY])
        if asked.path == f"{project}/pipelines":
            return 200, {}, [self._pipeline(key) for key in reversed(self.effects)]
        parts = asked.path.split("/")
        if parts[-1] == "variables":
            variable = {"variable_type": "env_var", "key": KEY, "value": self.key(parts[-2])}
            return 200, {}, [variable]
        key = self.key(parts[-1])
        return NOT_FOUND if key is None else (200, {}, self._pipeline(key))

    def _pipeline(self, key: str) -> dict[str, Any]:
        number, ended = self.number(key), self.ended.get(key)
        status = {None: "running", True: "success", False: "failed"}[ended]
        return {"id": number, "status": status, "web_url": f"{self.url}/-/pipelines/{number}"}


class Awx(Receiver):
    """https://ansible.readthedocs.io/projects/awx/."""

    job = "7"

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/api/v2/job_templates/7/launch/":
            self.effects.append(asked.json["extra_vars"][KEY])
            number = len(self.effects)
            return 201, {}, {"job": number, "id": number, "ignored_fields": {}}
        if asked.path == "/api/v2/job_templates/7/jobs/":
            return 200, {}, {"results": [self._job(key) for key in reversed(self.effects)]}
        parts = asked.path.strip("/").split("/")
        if parts[-1] == "job_events":
            assert "-counter" == asked.query["order_by"]
            lines = ["\x1b[0;32mthe last line\x1b[0m", "", "a line"]
            return 200, {}, {"results": [{"stdout": line} for line in lines]}
        key = self.key(parts[-1])
        return NOT_FOUND if key is None else (200, {}, self._job(key))

    def _job(self, key: str) -> dict[str, Any]:
        status = {None: "running", True: "successful", False: "failed"}[self.ended.get(key)]
        return {
            "id": self.number(key),
            "status": status,
            "job_explanation": "",
            "extra_vars": json.dumps({KEY: key}),
        }


class Rundeck(Receiver):
    """https://docs.rundeck.com/docs/api/."""

    token = ("X-Rundeck-Auth-Token", "s3cr3t-token")
    job = "5f3c-uuid"

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/api/24/job/5f3c-uuid/run":
            self.effects.append(asked.json["options"][KEY])
            return 200, {}, self._execution(asked.json["options"][KEY])
        if asked.path == "/api/24/job/5f3c-uuid/executions":
            found = [self._execution(key) for key in reversed(self.effects)]
            return 200, {}, {"executions": found}
        parts = asked.path.strip("/").split("/")
        if parts[-1] == "output":
            return 200, {}, {"entries": [{"log": "a line"}, {"log": "the last line"}]}
        key = self.key(parts[-1])
        return NOT_FOUND if key is None else (200, {}, self._execution(key))

    def _execution(self, key: str) -> dict[str, Any]:
        status = {None: "running", True: "succeeded", False: "failed"}[self.ended.get(key)]
        number = self.number(key)
        return {
            "id": number,
            "status": status,
            "permalink": f"{self.url}/project/shop/execution/show/{number}",
            "job": {"id": "5f3c-uuid", "options": {KEY: key}},
        }


class Terraform(Receiver):
    """https://developer.hashicorp.com/terraform/cloud-docs/api-docs/run."""

    job = "acme/shop-db"

    def __init__(self) -> None:
        super().__init__()
        self.variables: list[dict[str, str]] = []
        self.status: dict[str, str] = {}
        """A run's own word, by key."""

    def answer(self, asked: Asked) -> Reply:
        if asked.method == "POST":
            assert "/api/v2/runs" == asked.path, "nothing is applied"
            return self._create(asked)
        if asked.path == "/api/v2/organizations/acme/workspaces/shop-db":
            attributes = {"name": "shop-db", "auto-apply": True}
            return 200, {}, {"data": {"id": "ws-1", "attributes": attributes}}
        if asked.path == "/api/v2/workspaces/ws-1/runs":
            assert "50" == asked.query["page[size]"]
            return 200, {}, {"data": [self._run(key) for key in reversed(self.effects)]}
        key = self.key(asked.path.rpartition("-")[2])
        if key is None:
            return NOT_FOUND
        assert {"include": "plan"} == asked.query
        return 200, {}, {"data": self._run(key), "included": [self._plan(key)]}

    def _create(self, asked: Asked) -> Reply:
        assert "application/vnd.api+json" == asked.headers["content-type"]
        data = asked.json["data"]
        workspace = {"data": {"type": "workspaces", "id": "ws-1"}}
        assert {"workspace": workspace} == data["relationships"]
        attributes = data["attributes"]
        assert (False, False) == (attributes["auto-apply"], attributes["is-destroy"])
        self.variables = attributes["variables"]
        self.effects.append(attributes["message"].split()[2])
        return 201, {}, {"data": self._run(self.effects[-1])}

    def _run(self, key: str) -> dict[str, Any]:
        ends = {None: "planning", True: "applied", False: "errored"}
        status = self.status.get(key) or ends[self.ended.get(key)]
        attributes = {
            "status": status,
            "message": f"Prunella remediation {key} for Deployment shop/checkout",
            "actions": {"is-confirmable": status in {"planned", "cost_estimated"}},
        }
        return {"id": f"run-{self.number(key)}", "type": "runs", "attributes": attributes}

    def _plan(self, key: str) -> dict[str, Any]:
        known = bool(self.status.get(key)) or key in self.ended
        attributes = {
            "status": "finished" if known else "running",
            "resource-imports": 0,
            "resource-additions": 2,
            "resource-changes": 1,
            "resource-destructions": 0,
        }
        return {"id": "plan-1", "type": "plans", "attributes": attributes}


ALL: Mapping[str, type[Receiver]] = {
    "generic": GenericReceiver,
    "jenkins": Jenkins,
    "gitHub": GitHub,
    "gitLab": GitLab,
    "awx": Awx,
    "rundeck": Rundeck,
    "terraform": Terraform,
}
