"""Secrets that a caller puts where none belongs, in a path or a request id, kept out of log and audit."""

import re
from typing import Final

_SECRETS: Final = re.compile(r"(csk_[0-9a-f]{1,12})_[0-9a-f]+|(whsec_)[A-Za-z0-9+/=_-]+", re.IGNORECASE)


def masked(text: str) -> str:
    """A text in which `csk_<prefix>_...` and `whsec_...` stand for keys and webhook secrets, even cut off ones."""
    return _SECRETS.sub(lambda found: f"{found[1]}_..." if found[1] else f"{found[2]}...", text)
