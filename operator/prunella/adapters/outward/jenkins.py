"""Jenkins: a build of a parameterized job, by its Remote Access API.

``buildWithParameters`` answers 201 with the place in the queue; the item there names the build once
it has begun.  The key is a string parameter, which the job must declare, since others are dropped.
https://www.jenkins.io/doc/book/using/remote-access-api/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib import parse

from prunella.adapters.outward import http, systems
from prunella.api import endpoints
from prunella.core.decisions import started

_ITEM = re.compile(r"/queue/item/(\d+)/?$")
_ENDS = {
    "SUCCESS": systems.SUCCEEDED,
    "UNSTABLE": systems.FAILED,
    "FAILURE": systems.FAILED,
    "ABORTED": systems.FAILED,
    "NOT_BUILT": systems.FAILED,
}
_LAST_OUTPUT = 16_384


class Jenkins:
    """Ids are ``queue/N`` until the build has begun, then ``build/N``."""

    def start(self, web: http.Http, call: systems.Call, key: str) -> started.Run:
        """Put a build into the queue."""
        body = parse.urlencode(systems.values(call, key)).encode()
        path = f"{_job(web)}/buildWithParameters"
        answer = web.send("POST", path, key, body, systems.FORM)
        place = next((v for k, v in answer.headers.items() if k.lower() == "location"), "")
        item = _ITEM.search(place)
        name = f"queue/{item[1]}" if item else ""
        return started.Run(systems.RUNNING, "it is in the queue", key, id=name)

    def find(self, web: http.Http, key: str) -> started.Run | None:
        """In the queue, or among the newest builds."""
        for item in web.listed("/queue/api/json", "items", {"tree": f"items[id,{_TREE}]"}):
            if key in _keys(item):
                name = f"queue/{item['id']}"
                return started.Run(systems.RUNNING, "it is in the queue", key, id=name)
        tree = f"builds[number,url,result,building,{_TREE}]{{0,{systems.MOST_LISTED}}}"
        for build in web.listed(f"{_job(web)}/api/json", "builds", {"tree": tree}):
            if key in _keys(build):
                return self._build(web, build, key)
        return None

    def look(self, web: http.Http, known: str, key: str) -> started.Run | None:
        """The build, or its place in the queue, which Jenkins forgets after five minutes."""
        sort, _, number = known.partition("/")
        if not number.isdecimal():
            return self.find(web, key)
        if sort == "queue":
            item = web.get(f"/queue/item/{number}/api/json")
            if item is None:
                return self.find(web, key)
            if item.json.get("cancelled"):
                return started.Run(systems.FAILED, "it was taken out of the queue", key, id=known)
            if not (begun := item.json.get("executable")):
                why = str(item.json.get("why") or "it is in the queue")
                return started.Run(systems.RUNNING, why, key, id=known)
            number = str(int(begun["number"]))
        build = web.get(f"{_job(web)}/{number}/api/json", {"tree": "number,url,result,building"})
        return None if build is None else self._build(web, build.json, key)

    def _build(self, web: http.Http, build: dict[str, Any], key: str) -> started.Run:
        building, word = build.get("building"), build.get("result")
        state = systems.RUNNING if building else systems.state(word, _ENDS)
        number, log = int(build["number"]), ""
        if state is not systems.RUNNING:
            log = _end_of_log(web, f"{_job(web)}/{number}/logText/progressiveText")
        name, url = f"build/{number}", str(build.get("url") or "")
        return started.Run(state, f"build {number}: {word or 'running'}", key, log, name, url)


def _end_of_log(web: http.Http, path: str) -> str:
    """The last of a build's log: how long it is stands in a header, whatever part is asked for."""
    known = web.headers_of(path, {"start": 0}) or {}
    start = max(0, int(known.get("x-text-size") or 0) - _LAST_OUTPUT)
    found = web.get(path, {"start": start})
    return found.text[-_LAST_OUTPUT:] if found is not None else ""


_TREE = "actions[parameters[name,value]]"


def _job(web: http.Http) -> str:
    """The path of the job, in folders if it is in any."""
    return f"/job/{web.endpoint.job}"


def _keys(found: dict[str, Any]) -> Iterator[str]:
    for each in found.get("actions") or ():
        for parameter in (each or {}).get("parameters") or ():
            if parameter.get("name") == endpoints.KEY:
                yield str(parameter.get("value"))
