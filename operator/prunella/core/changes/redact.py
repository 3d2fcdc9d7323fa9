"""Values that look like credentials become hashes, before anything is kept or compared.

A hash still shows that a value has changed. It is salted by the object's UID and cut to 48 bits,
so that equal credentials of two objects are not seen to be equal.
"""

from __future__ import annotations

import functools
import hashlib
import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

MARK: Final = "sha256:"
_SECRET_NAME: Final = re.compile(
    r"pass(word|wd|phrase)?$|passw|pwd|secret|token|api[-_.]?key|access[-_.]?key|private[-_.]?key"
    r"|credential|auth[-_.]?key|signing[-_.]?key|encryption[-_.]?key|client[-_.]?key"
    r"|session[-_.]?key|connection[-_.]?string|\bdsn\b|_dsn$|jwt|bearer|htpasswd|kubeconfig"
    r"|dockerconfig|\.(pem|key|p12|pfx|jks)$",
    re.IGNORECASE,
)
_HARMLESS_NAME: Final = re.compile(
    r"checksum|digest|commit|revision|sha\d*$|hash|secret[-_]?(key)?[-_]?(name|ref|store)"
    r"|secretName$|token[-_]?(expir|ttl|path|file|url|lifetime|audience)|automount"
    r"|(password|token|secret|key|credentials?)[-_]?(file|path|dir)$|pass(through|ive)"
    r"|max[-_]?tokens|token[-_]?count|tokens[-_]?per",
    re.IGNORECASE,
)
_REFERENCES: Final = {
    "secretKeyRef",
    "secretRef",
    "secretName",
    "secrets",
    "imagePullSecrets",
    "valueFrom",
    "serviceAccountToken",
    "automountServiceAccountToken",
    "secret",
}
"""Fields of Kubernetes that name Secrets and hold none."""
# Bounded everywhere: an object's author may not choose how long its reading takes.
_SHAPES: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\."
    r"|\b(AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{30,}|\bglpat-[\w-]{20,}"
    r"|\bxox[abposr]-[\w-]{10,}|\bsk_(live|test)_\w{16,}|\bsk-[\w-]{20,}|\bAIza[\w-]{35}"
    r"|\b(hvs|hvb)\.[\w-]{20,}|\bdop_v1_[0-9a-f]{60,}"
)
_USERINFO: Final = re.compile(
    r"(?P<before>\w[\w+.-]{0,30}://[^\s:/@]{0,256}:)(?P<secret>[^\s@/]{1,1024})(?P<after>@)"
)
_ASSIGNED: Final = re.compile(r"(?P<name>[\w.-]{2,64})[\"']?[ \t]*[:=][ \t]*[\"']?")
_ASSIGNED_VALUE: Final = re.compile(r"[^\s\"',;&}{]+")
_OPTION: Final = re.compile(r"(?P<before>--?(?P<name>[\w.-]{2,64})[ =])(?P<secret>\S+)")
_WORD: Final = re.compile(r"(?<![\w+/=@:.-])[A-Za-z0-9+/_=-]{24,}(?![\w+/=-])")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SAFE_FIELDS: Final = {"image", "name", "uid", "apiVersion", "kind", "host", "mountPath"}
MOST_SEARCHED: Final = 131_072
"""Characters of one value that are looked through; a longer one is hashed as a whole."""
_LEAST_ENTROPY: Final = 4.0
"""Bits for each character; words and host names have about 3.5, random base64 5 and more."""
_LEAST_HEX_ENTROPY: Final = 3.0


@functools.lru_cache(4096)
def secret_name(name: str) -> bool:
    """Whether what has this name is likely to be a credential."""
    return bool(_SECRET_NAME.search(name)) and not _HARMLESS_NAME.search(name)


def hashed(value: Any, salt: str) -> str:
    """What is kept in the place of a value."""
    digest = hashlib.sha256(f"{salt}\0{value}".encode()).hexdigest()
    return f"{MARK}{digest[:12]}"


def is_redacted(text: str | None) -> bool:
    """Whether a kept value holds a hash in the place of a credential."""
    return text is not None and bool(re.search(rf"{MARK}[0-9a-f]{{12}}(?![0-9a-f])", text))


def redact(content: Any, salt: str) -> Any:
    """The content with hashes for all that looks like a credential."""
    return _redact("", content, salt)


def _redact(name: str, value: Any, salt: str) -> Any:
    if isinstance(value, Mapping):
        named = str(value.get("name") or "") if "value" in value else ""
        return {
            key: _redact(named if key == "value" and named else key, each, salt)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return _list(name, value, salt)
    if isinstance(value, str):
        return _text(name, value, salt)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return hashed(value, salt) if secret_name(name) and name not in _REFERENCES else value
    return value


def _list(name: str, values: list[Any], salt: str) -> list[Any]:
    """Elements of a list; the one after ``--password`` belongs to it."""
    done: list[Any] = []
    option = ""
    for each in values:
        is_text = isinstance(each, str)
        done.append(_redact(option or name, each, salt))
        bare = is_text and each.startswith("-") and "=" not in each and " " not in each
        option = each.lstrip("-") if bare else ""
    return done


def _text(name: str, text: str, salt: str) -> str:
    if not text or name in _SAFE_FIELDS or name in _REFERENCES:
        return text
    if secret_name(name) or len(text) > MOST_SEARCHED or _SHAPES.search(text):
        return hashed(text, salt)
    text = _USERINFO.sub(lambda m: _replaced(m, salt), text)
    text = _assigned(text, salt)
    text = _OPTION.sub(lambda m: _named(m, salt), text)
    if _HARMLESS_NAME.search(name):
        return text
    return _WORD.sub(lambda m: hashed(m[0], salt) if _random(m[0]) else m[0], text)


def _assigned(text: str, salt: str) -> str:
    """A text in which ``password: x`` and ``token=x`` have hashes for their values."""
    done, end = "", 0
    for key in _ASSIGNED.finditer(text):
        value = _ASSIGNED_VALUE.match(text, key.end())
        if value is None or key.start() < end or not secret_name(key["name"]):
            continue
        if not value[0].startswith((MARK, "$")):
            done += text[end : key.end()] + hashed(value[0], salt)
            end = value.end()
    return done + text[end:]


def _replaced(match: re.Match[str], salt: str) -> str:
    if match["secret"].startswith((MARK, "$")):
        return match[0]
    after = match["after"] if "after" in match.re.groupindex else ""
    return f"{match['before']}{hashed(match['secret'], salt)}{after}"


def _named(match: re.Match[str], salt: str) -> str:
    return _replaced(match, salt) if secret_name(match["name"]) else match[0]


def _random(word: str) -> bool:
    """Whether a word looks drawn by chance: a key, a token, a hash of one."""
    if _UUID.fullmatch(word) or word.strip("/").count("/") > 2:
        return False
    counts = Counter(word)
    entropy = -sum(n / len(word) * math.log2(n / len(word)) for n in counts.values())
    if re.fullmatch("[0-9a-fA-F]+", word):
        return len(word) >= 32 and entropy >= _LEAST_HEX_ENTROPY
    classes = sum(bool(re.search(each, word)) for each in ("[a-z]", "[A-Z]", "[0-9]"))
    return classes == 3 and entropy >= _LEAST_ENTROPY


def without_values(content: Any, salt: str) -> Any:
    """The content with a hash for every value: that it has changed is all that is told."""
    if isinstance(content, Mapping):
        return {key: without_values(each, salt) for key, each in content.items()}
    if isinstance(content, list):
        return [without_values(each, salt) for each in content]
    return hashed(content, salt)
