"""What the parts of the TikTok Shop face share: its errors, what a request asks for, signatures, money, pages."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from connectors.sandbox.answers import Request, loads
from connectors.sandbox.currencies import decimal_text
from connectors.sandbox.logins import Token
from connectors.sandbox.tiktok_shop_sellers import Store
from connectors.sandbox.world import World

Data = dict[str, Any]
Row = TypeVar("Row")

UNKNOWN_PATH, WRONG_METHOD, RETIRED, BAD_CONTENT_TYPE = 40006, 36009010, 36009014, 36009022
BAD_REQUEST, RATE_LIMITED, INTERNAL = 36009004, 36009002, 36009003
SIGN_INVALID, TOKEN_EXPIRED, TOKEN_INVALID, SCOPE_MISSING = 106001, 105002, 105001, 105005
CIPHER_MISSING, CIPHER_FOREIGN = 106013, 101000
STATUSES = {
    UNKNOWN_PATH: 403,
    WRONG_METHOD: 405,
    RATE_LIMITED: 429,
    INTERNAL: 500,
    SIGN_INVALID: 401,
    TOKEN_EXPIRED: 401,
    TOKEN_INVALID: 403,
    SCOPE_MISSING: 403,
    CIPHER_FOREIGN: 403,
}
LONGEST_TOKEN = 200
_MAC_BYTES = 12


class ShopError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message

    @property
    def status(self) -> int:
        return STATUSES.get(self.code, 400)


@dataclass(frozen=True)
class Asked:
    """One request that was let in. `path` holds what the path's pattern names; `now` is market time, in seconds."""

    world: World
    token: Token
    shop: Store | None
    args: dict[str, str]
    body: dict[str, Any]
    route: str
    path: dict[str, str]
    now: int
    secret: str

    @property
    def store(self) -> Store:
        assert self.shop is not None, "only routes that ask for a shop_cipher come here"
        return self.shop

    def money(self, micros: int) -> Data:
        return {"amount": decimal_text(micros, self.store.currency), "currency": self.store.currency}


def signature(request: Request, secret: str) -> str:
    """The platform's own recipe: secret, path, sorted parameters, raw body, secret; keyed with the secret."""
    pairs = [(name, value) for name, value in request.args.items(multi=True) if name not in ("sign", "access_token")]
    text = request.path + "".join(name + value for name, value in sorted(pairs, key=lambda pair: pair[0].encode()))
    is_form = (request.content_type or "").lower().startswith("multipart/form-data")
    signed = secret.encode() + text.encode() + (b"" if is_form else request.get_data()) + secret.encode()
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def body_of(request: Request) -> dict[str, Any]:
    """Raises ShopError unless the body is a JSON object or nothing at all."""
    raw = request.get_data()
    if not raw:
        return {}
    if not (request.content_type or "").lower().startswith("application/json"):
        raise ShopError(BAD_CONTENT_TYPE, "Invalid content type. Use application/json.")
    body = loads(raw.decode("utf-8", "replace"))
    if not isinstance(body, dict) or any(map(_is_nested, body.values())):
        raise ShopError(BAD_REQUEST, "Invalid request. The body is not a JSON object of plain values and lists.")
    return body


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(v, dict | list) for v in value))


def whole(given: Any, name: str, least: int, most: int) -> int:
    """An integer, also one written as text. Raises ShopError outside of the bounds."""
    text = str(given)
    if isinstance(given, bool) or not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise ShopError(BAD_REQUEST, f"Invalid parameter. '{name}' is not a number.")
    if not least <= int(text) <= most:
        raise ShopError(BAD_REQUEST, f"Invalid parameter. '{name}' must be from {least} to {most}.")
    return int(text)


def choice(given: Any, name: str, choices: Iterable[str]) -> str:
    if given not in list(choices):
        raise ShopError(BAD_REQUEST, f"Invalid parameter. '{name}' is not one of its values.")
    return str(given)


def texts(body: Data, name: str, most: int = 100) -> list[str] | None:
    """A list of ids or words of the body; None where it is not there."""
    given = body.get(name)
    if given is None:
        return None
    if not isinstance(given, list) or len(given) > most or not all(isinstance(each, str) for each in given):
        raise ShopError(BAD_REQUEST, f"Invalid parameter. '{name}' is not a list of at most {most} texts.")
    return given


def span(values: Data, name: str, now: int, last: str = "lt") -> tuple[int, int] | None:
    """The half-open time window that `name_ge` and `name_lt` (or `_le`) ask for, as far as it has begun; None where
    neither is there."""
    ge, end = values.get(f"{name}_ge"), values.get(f"{name}_{last}")
    if ge is None and end is None:
        return None
    first = whole(ge, f"{name}_ge", 0, 10**11) if ge is not None else 0
    until = whole(end, f"{name}_{last}", 0, 10**11) + (last == "le") if end is not None else now + 1
    if first > until:
        raise ShopError(BAD_REQUEST, f"Invalid parameter. '{name}_ge' lies after '{name}_{last}'.")
    return min(first, now + 1), min(until, now + 1)


def page(
    asked: Asked, rows: Iterable[Row], key: Callable[[Row], tuple[int, str]], most: int = 100, usual: int = 20
) -> tuple[list[Row], Data]:
    """One page of the rows in the order of `key` (a time and a unique id), by the request's `sort_order`, and what
    the answer says of it. A token names the last row shown and belongs to this request's filters."""
    size = whole(asked.args.get("page_size", usual), "page_size", 1, most)
    is_falling = choice(asked.args.get("sort_order", "DESC"), "sort_order", ("ASC", "DESC")) == "DESC"
    ordered = sorted(rows, key=key, reverse=is_falling)
    start = 0
    if given := asked.args.get("page_token"):
        last = _last_shown(asked, given)
        start = sum(key(row) >= last if is_falling else key(row) <= last for row in ordered)
    shown = ordered[start : start + size]
    more = len(ordered) > start + size
    token = _page_token(asked, key(shown[-1])) if more else ""
    return shown, {"next_page_token": token, "total_count": len(ordered)}


def _page_token(asked: Asked, last: tuple[int, str]) -> str:
    text = f"{last[0]}/{last[1]}".encode()
    return base64.urlsafe_b64encode(_mac(asked, text) + text).decode()


def _last_shown(asked: Asked, token: str) -> tuple[int, str]:
    try:
        raw = base64.b64decode(token if len(token) <= LONGEST_TOKEN else "", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    mac, text = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not text or not hmac.compare_digest(mac, _mac(asked, text)):
        raise ShopError(BAD_REQUEST, "Invalid parameter. 'page_token' does not belong to this request.")
    number, _, identity = text.decode().partition("/")
    return int(number), identity


def _mac(asked: Asked, text: bytes) -> bytes:
    """Binds a page token to the shop and the filters, so that it fits nowhere else."""
    sort = [asked.args.get(name) for name in ("sort_field", "sort_order", "payment_status", "currency")]
    where = [asked.route, asked.token.tenant, asked.shop.id if asked.shop else "", sort, asked.body]
    bound = json.dumps(where, sort_keys=True).encode()
    return hmac.new(asked.secret.encode(), bound + text, hashlib.sha256).digest()[:_MAC_BYTES]
