"""The receipt (回执) of a report: whoever has it may read what the reporter was answered, and nobody can make one up.

It is the community's code, the report's id and 80 bits of a keyed hash of both, such as
`guangdu.05vcp7-k0007t-8f5ckz-6y7hr6-c3b40a-…`. Only the key's holders can make it or tell it from an invention; nothing
about it has to be kept anywhere. It says nothing of who the reporter is.
"""

from base64 import b32decode, b32encode
from hashlib import sha256
from hmac import compare_digest, digest
from uuid import UUID

SEAL_BYTES = 10
"""80 bits: at a million tries a second, one in a million guesses within forty thousand years."""
_GROUP = 6
# Crockford's: no letter is left that looks like a digit, and case doesn't matter.
_WRITTEN = "0123456789abcdefghjkmnpqrstvwxyz"
_STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_WRITE = str.maketrans(_STANDARD, _WRITTEN)
_READ = str.maketrans(_WRITTEN + "oil", _STANDARD + "ABB")
_LENGTH = -(-(16 + SEAL_BYTES) * 8 // 5)


def receipt_of(key: bytes, community: str, report: UUID) -> str:
    """Return the receipt of a report that a community has raised: the same each time."""
    code = b32encode(report.bytes + _seal(key, community, report)).decode().rstrip("=").translate(_WRITE)
    groups = (code[start : start + _GROUP] for start in range(0, _LENGTH, _GROUP))
    return f"{community}.{'-'.join(groups)}"


def read_receipt(key: bytes, receipt: str) -> tuple[str, UUID] | None:
    """Return the community and the report of a receipt; None for what is none, whatever is wrong with it.

    Case, hyphens, blanks and the letters that look like digits don't matter: it may be copied by hand.
    """
    community, _, written = receipt.strip().lower().partition(".")
    code = "".join(written.replace("-", "").split())
    if len(code) != _LENGTH or not set(code) <= {*_WRITTEN, *"oil"}:
        return None
    padded = code.translate(_READ) + "=" * (-_LENGTH % 8)
    content = b32decode(padded)
    # The last character has bits to spare: in a receipt they are nought, and with others it is none.
    if b32encode(content).decode() != padded:
        return None
    report = UUID(bytes=content[:16])
    return (community, report) if compare_digest(content[16:], _seal(key, community, report)) else None


def _seal(key: bytes, community: str, report: UUID) -> bytes:
    # The community is part of it: an id may be used again by another one, which must not read what isn't its own.
    return digest(key, b"whistle receipt\0" + community.encode() + b"\0" + report.bytes, sha256)[:SEAL_BYTES]
