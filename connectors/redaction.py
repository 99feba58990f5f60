"""What keeps secrets out of whatever comes back: in every spelling that an answer may echo them in."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

BLOT = "[secret]"
SHORTEST_SECRET = 8  # anything shorter could be a word of the answer itself

# The names under which the platforms' requests carry what nobody else may see.
SECRET_FIELDS = frozenset(
    {
        "access_token",
        "app_secret",
        "appsecret_proof",
        "auth_code",
        "client_secret",
        "code",
        "fb_exchange_token",
        "input_token",
        "refresh_token",
        "secret",
    }
)

Blotter = Callable[[bytes], bytes]


def blotter(secrets: Iterable[str]) -> Blotter:
    """A function that blots these secrets out of a body: plain, percent-encoded, or escaped as in JSON or HTML."""
    known = sorted({secret for secret in secrets if len(secret) >= SHORTEST_SECRET}, key=len, reverse=True)
    steps = [_replacing(secret) for secret in known]  # the longest first: a shorter one may be a part of it

    def blot(body: bytes) -> bytes:
        for step in steps:
            body = step(body)
        return body

    return blot


def _replacing(secret: str) -> Blotter:
    mark = BLOT.encode()
    if _is_plain(secret):
        word = secret.encode()
        return lambda body: body.replace(word, mark)  # many times faster than a pattern, and bodies are large
    pattern = re.compile(b"".join(map(_spellings, secret)))
    return lambda body: pattern.sub(mark, body)


def secrets_in(*sent: Any) -> Iterator[str]:
    """The secrets that a query or body carries by name."""
    for fields in sent:
        if isinstance(fields, Mapping):
            for name, value in fields.items():
                if name in SECRET_FIELDS and isinstance(value, str):
                    yield value


def _is_plain(text: str) -> bool:
    """Whether every encoding leaves the text as it is."""
    return re.fullmatch(r"[A-Za-z0-9._~-]*", text) is not None


def _spellings(character: str) -> bytes:
    """A pattern for one character: as text, in a query (encoded once or more), in JSON (nested or not), in HTML."""
    raw = character.encode(errors="replace")
    if _is_plain(character):
        return re.escape(raw)
    units = character.encode("utf-16-be", errors="replace")
    ways = [
        rb"\\*" + re.escape(raw),
        b"".join(b"%%(?:25)*%02x" % byte for byte in raw),
        b"".join(rb"\\+u%02x%02x" % (units[at], units[at + 1]) for at in range(0, len(units), 2)),
        re.escape(html.escape(character).encode(errors="replace")),
        b"&#0*(?:%d|x0*%x);" % (ord(character), ord(character)),
    ]
    return b"(?i:" + b"|".join(ways + [rb"\+"] * (character == " ")) + b")"
