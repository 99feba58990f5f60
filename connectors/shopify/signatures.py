"""What proves that a request comes from Shopify: the signatures of webhooks and of a login's callback."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from urllib.parse import parse_qsl, quote

MOST_PARAMETERS = 50
UNESCAPED = "-_.!~*'()"
UNSIGNED = frozenset({"hmac", "signature"})

Pairs = list[tuple[str, str]]


def is_webhook(body: bytes, signature: str, secrets: Iterable[str]) -> bool:
    """Whether `X-Shopify-Hmac-Sha256` signs these raw bytes with one of the secrets (the new or the old one)."""
    told = signature.encode(errors="replace")
    valid = [hmac.compare_digest(base64.b64encode(_digest(secret, body)), told) for secret in secrets if secret]
    return any(valid)


def is_callback(query: str, secret: str) -> bool:
    """Whether `hmac` signs the other parameters of this raw query.

    Shopify's own libraries join the sorted pairs in two ways that differ for some characters and for arrays
    (`k[]`), so either is right. A parameter that comes twice is refused: readers would not agree which counts.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        return False
    single = [name for name, _ in pairs if not name.endswith("[]")]
    told = dict(pairs).get("hmac", "").encode(errors="replace")
    if not secret or not told or len(set(single)) != len(single):
        return False
    signed = sorted((pair for pair in pairs if pair[0] not in UNSIGNED), key=itemgetter(0))
    valid = [
        hmac.compare_digest(_digest(secret, message.encode(errors="replace")).hex().encode(), told)
        for message in (_percent_encoded(signed), _left_raw(signed))
    ]
    return any(valid)


def _percent_encoded(pairs: Pairs) -> str:
    """As @shopify/shopify-api joins them."""
    return "&".join(f"{_escaped(name, '[]')}={_escaped(value)}" for name, value in pairs)


def _escaped(text: str, more: str = "") -> str:
    return quote(text, UNESCAPED + more, errors="replace")


def _left_raw(pairs: Pairs) -> str:
    """As the Python and Ruby libraries join them: `k[]=a&k[]=b` becomes `k=["a", "b"]`."""
    joined = []
    for name, group in groupby(pairs, key=itemgetter(0)):
        values = [value for _, value in group]
        if name.endswith("[]"):
            name, values = name[:-2], ["[" + ", ".join(f'"{value}"' for value in values) + "]"]
        escaped = name.replace("%", "%25").replace("&", "%26").replace("=", "%3D")
        joined += [f"{escaped}={value.replace('%', '%25').replace('&', '%26')}" for value in values]
    return "&".join(sorted(joined))


def _digest(secret: str, message: bytes) -> bytes:
    return hmac.new(secret.encode(), message, hashlib.sha256).digest()
