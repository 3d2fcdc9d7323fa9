"""Parameters of the step that has a certificate issued again."""

from __future__ import annotations

import pydantic

from prunella.api import base, types


class RenewCertificate(base.ApiModel):
    """Have cert-manager issue a Certificate again, as `cmctl renew` does."""

    name: types.ObjectName | None = pydantic.Field(
        None, description="Name of the Certificate. Default: the target's."
    )
    expires_within: types.Duration = pydantic.Field(
        types.duration("7d"),
        description=(
            "Only when the certificate that is issued ends within this, and within the last third "
            "of its validity. When what is served ends "
            "earlier than what is issued, nobody has read it: then a restart is what helps."
        ),
    )
    least_age: types.Duration = pydantic.Field(
        types.duration("24h"),
        description=(
            "Not when the one that is issued is younger: issuers limit how many they give, such as "
            "Let's Encrypt 5 of the same names in 7 days."
        ),
    )
