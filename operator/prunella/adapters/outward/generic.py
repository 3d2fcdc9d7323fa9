"""A receiver of our own format: JSON, with the key in ``Idempotency-Key``, signed if it wants that.

The signature is as GitHub's of its webhooks: ``sha256=`` and the hexadecimal HMAC of the body.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any
from urllib import parse

from prunella.adapters.outward import http, systems
from prunella.core.decisions import started


class Generic:
    """Any system that takes a POST of JSON."""

    def start(self, web: http.Http, call: systems.Call, key: str) -> started.Run:
        """Without a place to poll, the answer is the end."""
        body = systems.body(call, key)
        headers = dict(systems.JSON)
        if (path := web.endpoint.hmac_secret_file) is not None:
            secret = http.read(path, "hmacSecretFile").encode()
            headers[http.SIGNATURE] = f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}"
        answer = web.send("POST", "", key, body, headers)
        told = answer.json if isinstance(answer.json, dict) else {}
        message, url = str(told.get("message") or ""), str(told.get("url") or "")
        if web.endpoint.poll is None:
            message = message or f"it has answered {answer.status}"
            return started.Run(systems.SUCCEEDED, message, key, id=key, url=url)
        return started.Run(systems.RUNNING, message, key, id=key, url=url)

    def find(self, web: http.Http, key: str) -> started.Run | None:
        """The key is its name there."""
        return self.look(web, key, key)

    def look(self, web: http.Http, known: str, key: str) -> started.Run | None:
        """Ask where it is told; without such a place nobody can."""
        poll = web.endpoint.poll
        if poll is None:
            return None
        answer = web.get(poll.path.replace("{key}", parse.quote(known, safe="")))
        if answer is None:
            return None
        told: Any = answer.json if isinstance(answer.json, dict) else {}
        word: Any = told
        for part in poll.field.split("."):
            word = word.get(part) if isinstance(word, dict) else None
        ends = {
            **dict.fromkeys(poll.succeeded, systems.SUCCEEDED),
            **dict.fromkeys(poll.failed, systems.FAILED),
        }
        return started.Run(
            systems.state(word, ends),
            str(told.get("message") or word or ""),
            key,
            str(told.get("log") or ""),
            known,
            str(told.get("url") or ""),
        )
