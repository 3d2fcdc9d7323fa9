"""Where commits are reverted, as the settings say. The library is an extra."""

from __future__ import annotations

import concurrent.futures

from prunella import ports, settings

_THREADS = 2


def open_repositories(wanted: settings.Git) -> ports.Repositories | None:
    """The repositories of the settings; None where there are none.

    Raises settings.SettingsError when the library is not there.
    """
    if not wanted.repositories:
        return None
    try:
        from prunella.adapters.git import repositories  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise settings.SettingsError(
            f"git.repositories needs the extra git, as in `pip install prunella[git]`: {error}"
        ) from error
    executor = concurrent.futures.ThreadPoolExecutor(_THREADS, "git")
    return repositories.GitRepositories(wanted, executor)
