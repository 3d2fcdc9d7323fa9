"""Names of Changes: of what happened, not of who saw it.

A second operator, or the same one after a crash, gives the same change the same name; the API
server then refuses the double.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

MOST_NAME: Final = 40


def name(kind: str, object_name: str, *identity: object) -> str:
    """``deployment-checkout-5f0c3a9b1e``: kind, name and a hash of what makes it this change."""
    digest = hashlib.sha256("\0".join(str(each) for each in identity).encode()).hexdigest()
    readable = re.sub(r"[^a-z0-9]+", "-", f"{kind}-{object_name}".lower())[:MOST_NAME]
    return f"{readable.strip('-')}-{digest[:10]}"
