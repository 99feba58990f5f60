"""The signatures of TikTok Shop: of what we send (Partner Center, "Sign your API request"), of what it pushes to us."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

UNSIGNED = frozenset({"sign", "access_token"})


def sign(path: str, params: Mapping[str, str], body: bytes, content_type: str, app_secret: str) -> str:
    """The hex signature of a request: `params` are the decoded values of its query, `body` the very bytes sent."""
    names = sorted((name for name in params if name not in UNSIGNED), key=str.encode)
    signed = path.encode() + b"".join(f"{name}{params[name]}".encode() for name in names)
    if not content_type.lower().startswith("multipart/form-data"):
        signed += body
    secret = app_secret.encode()
    return hmac.new(secret, secret + signed + secret, hashlib.sha256).hexdigest()


def is_webhook(body: bytes, signature: str, app_key: str, app_secret: str) -> bool:
    """Whether `signature`, the Authorization header of a push, is that of these very bytes; in constant time."""
    expected = hmac.new(app_secret.encode(), app_key.encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode(errors="replace"))
