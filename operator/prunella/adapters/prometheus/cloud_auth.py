"""Which credentials of a cloud a source wants.

The clouds' libraries are extras: they are imported only for a source that needs them.  What
signs or renews is shared by all threads, as its tokens are.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping

from requests import auth

from prunella import settings
from prunella.adapters.prometheus import session
from prunella.api import reasons


def opener(source: settings.Source) -> Callable[[], auth.AuthBase] | None:
    """What gives the source's credentials of a cloud; None for a source without.

    Calling it reaches no network, and raises session.AskError when an extra is missing.
    """
    if source.sig_v4 is not None:
        return functools.partial(_sig_v4, source.sig_v4)
    if source.entra is not None:
        return functools.partial(_entra, source.entra)
    if source.google is not None:
        return functools.partial(_google, source.google)
    return None


def check(sources: Mapping[str, settings.Source]) -> None:
    """Make sure at start that each source's extra is there. Raises settings.SettingsError."""
    for name, source in sources.items():
        open_auth = opener(source)
        if open_auth is None:
            continue
        try:
            open_auth()
        except session.AskError as error:
            raise settings.SettingsError(f"source {name!r}: {error}") from error


def signer(wanted: settings.SigV4) -> auth.AuthBase:
    """What signs requests to AWS that are not a source's.

    Raises session.AskError when the extra is missing.
    """
    return _sig_v4(wanted)


@functools.cache
def _sig_v4(wanted: settings.SigV4) -> auth.AuthBase:
    with _extra("aws", "sigV4"):
        from prunella.adapters.prometheus import auth_aws  # noqa: PLC0415 - an extra
    return auth_aws.open_auth(wanted)


@functools.cache
def _entra(wanted: settings.Entra) -> auth.AuthBase:
    with _extra("azure", "entra"):
        from prunella.adapters.prometheus import auth_entra  # noqa: PLC0415 - an extra
    return auth_entra.open_auth(wanted)


@functools.cache
def _google(wanted: settings.Google) -> auth.AuthBase:
    with _extra("google", "google"):
        from prunella.adapters.prometheus import auth_google  # noqa: PLC0415 - an extra
    return auth_google.open_auth(wanted)


@contextlib.contextmanager
def _extra(name: str, field: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise session.AskError(
            reasons.Doubt.UNREACHABLE,
            f"{field} needs the extra {name!r}, which is not installed: "
            f"pip install 'prunella[{name}]' ({error})",
        ) from error
