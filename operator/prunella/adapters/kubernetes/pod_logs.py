"""The end of a container's log: the API server leaves out the newest of what is too long."""

from __future__ import annotations

from prunella.adapters.kubernetes import client

FEWER = 8
"""Where lines of one length were reckoned with in vain, this part of them is asked for next."""


async def end(
    api: client.KubeApi, path: str, query: client.Query, lines: int, most_bytes: int
) -> str:
    """The last lines that fit into some bytes; fewer are asked for until they do.

    Of a single line that is longer its beginning.  Raises ClusterError.
    """
    most = lines
    while True:
        asked = {**query, "limitBytes": most_bytes, "tailLines": lines}
        text = await api.text(path, asked)
        if lines == 1 or len(text.encode()) < most_bytes - 3:
            return text  # All of it; a character that was cut in two may be missing.
        lines = max(1, min(most, lines - 1, text.count("\n") * 9 // 10))
        most = lines // FEWER
