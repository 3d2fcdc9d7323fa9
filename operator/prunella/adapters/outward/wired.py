"""What is called outside, and what is kept beside a record, as the settings have it."""

from __future__ import annotations

import dataclasses

from prunella import settings as settings_module
from prunella.adapters.kubernetes import captures, client
from prunella.adapters.outward import webhooks
from prunella.adapters.prometheus import session


@dataclasses.dataclass(frozen=True, slots=True)
class Wired:
    """The two ports."""

    calls: webhooks.Webhooks
    captures: captures.KubernetesCaptures | None

    def close(self) -> None:
        """Give connections back."""
        self.calls.close()


def wire(settings: settings_module.Settings, api: client.KubeApi) -> Wired:
    """Both ports; nothing is kept unless the settings allow it.

    Raises SettingsError when an extra is missing that an endpoint needs.
    """
    keeping = captures.KubernetesCaptures(api, settings.namespaces)
    try:
        calls = webhooks.Webhooks(settings.offered.endpoints)
    except session.AskError as error:
        raise settings_module.SettingsError(f"offered.endpoints: {error}") from error
    return Wired(calls, keeping if settings.offered.captures else None)
