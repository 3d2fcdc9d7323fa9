"""A way to the API server that can be cut: TCP is passed on, TLS and all, until it is not."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import threading
import urllib.parse

import yaml

from lab.ports import LOCALHOST

_CHUNK = 65_536


class Cable:
    """Passes connections on; while it is cut nothing gets through, and nobody is told."""

    def __init__(self, upstream: str) -> None:
        parts = urllib.parse.urlsplit(upstream)
        self._upstream = (parts.hostname or LOCALHOST, parts.port or 443)
        self._whole = threading.Event()
        self._whole.set()
        self._sockets: list[socket.socket] = []
        self._server = socket.create_server((LOCALHOST, 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it begins."""
        return f"https://{LOCALHOST}:{self._server.getsockname()[1]}"

    def cut(self) -> None:
        """Let nothing through."""
        self._whole.clear()

    def mend(self) -> None:
        """End the connections that were cut, as a network does, and let new ones through."""
        self._end_all()
        self._whole.set()

    def close(self) -> None:
        """End it."""
        self._server.close()
        self._end_all()
        self._whole.set()

    def kubeconfig(self, of: pathlib.Path, path: pathlib.Path) -> pathlib.Path:
        """A copy of a kubeconfig that goes this way."""
        config = yaml.safe_load(of.read_text())
        for each in config["clusters"]:
            each["cluster"]["server"] = self.url
        path.write_text(yaml.safe_dump(config))
        return path

    def _end_all(self) -> None:
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._sockets.clear()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                self._sockets.append(near)
                threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        self._whole.wait()
        with contextlib.suppress(OSError):
            far = socket.create_connection(self._upstream)
            self._sockets.append(far)
            threading.Thread(target=self._pass, args=(far, near), daemon=True).start()
            self._pass(near, far)

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(_CHUNK):
                self._whole.wait()
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
