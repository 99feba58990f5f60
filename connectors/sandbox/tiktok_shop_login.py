"""TikTok Shop's consent pages and token endpoints.

Sellers consent at `/open/authorize?service_id=…`, creators at `/alliance/creator/auth?app_key=…`. The way back is
fixed in the platform's console; here the query's `redirect_uri` stands for it. Tokens are got with GET, `expire_in` is
an absolute time despite its name, and refusals come with HTTP 200 as envelopes with a code.
"""

from __future__ import annotations

from html import escape
from urllib.parse import urlencode, urlsplit

from connectors.sandbox.answers import Request, Response
from connectors.sandbox.logins import LoginError, Token
from connectors.sandbox.tenants import secret
from connectors.sandbox.tiktok_shop_sellers import KIND_SCOPES, LONG_AWAY, App, app
from connectors.sandbox.tiktok_shop_terms import BAD_REQUEST, Data, ShopError
from connectors.sandbox.world import World

SELLERS, CREATORS = "/open/authorize", "/alliance/creator/auth"
TOKENS = "/api/v2/token/"
USER_TYPES = {"seller": 0, "creator": 1}
BAD_CODE, REFRESH_EXPIRED, NO_RECORD = 36004004, 36004001, 36004005
REFRESH_REASONS = {"expired_refresh": REFRESH_EXPIRED}
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>TikTok Shop (sandbox)</title>
<meta name="viewport" content="width=device-width"></head><body><main>{body}</main></body></html>"""


def consent(world: World, request: Request) -> Response:
    """The consent page of a seller or a creator, or the way back from it."""
    asked, kind = request.args, "creator" if request.path == CREATORS else "seller"
    name, expected = _client(app(world.config.seed), kind)
    back, tenant = asked.get("redirect_uri", ""), asked.get("tenant", "")
    if asked.get(name) != expected:
        return _page("<h1>This app does not exist</h1>", 400)
    if urlsplit(back).scheme not in ("http", "https") or not back.isprintable():
        return _page("<h1>redirect_uri is not valid</h1>", 400)
    if asked.get("allow") == "1" and tenant in map(str, range(len(world.shops))):
        code = world.logins.consent("tiktok_shop", int(tenant), back, KIND_SCOPES[kind], kind=kind)
        joint = "&" if urlsplit(back).query else "?"
        told = {"code": code, "state": asked.get("state", "")}
        return Response(status=302, headers={"Location": f"{back}{joint}{urlencode(told)}"})
    kept = {each: asked.get(each, "") for each in (name, "redirect_uri", "state")}
    return _page(_choices(world, request.path, kind, kept))


def token(world: World, request: Request) -> Data:
    """A pair of tokens for a code, or for a refresh token. Raises ShopError."""
    args, ours = request.args, app(world.config.seed)
    if (args.get("app_key"), args.get("app_secret")) != (ours.key, ours.secret):
        raise ShopError(BAD_REQUEST, "app_key or app_secret is invalid")
    if request.path == TOKENS + "get" and args.get("grant_type") == "authorized_code":
        return _told(world, _exchanged(world, args.get("auth_code", "")))
    if request.path == TOKENS + "refresh" and args.get("grant_type") == "refresh_token":
        return _told(world, _refreshed(world, args.get("refresh_token", "")))
    raise ShopError(BAD_REQUEST, "grant_type is invalid")


def _exchanged(world: World, code: str) -> Token:
    try:
        return world.logins.exchange("tiktok_shop", code, None)
    except LoginError as error:
        raise ShopError(BAD_CODE, "authorization code is invalid or has been used") from error


def _refreshed(world: World, refresh: str) -> Token:
    try:
        return world.logins.refresh("tiktok_shop", refresh)
    except LoginError as error:
        code = REFRESH_REASONS.get(error.reason, NO_RECORD)
        told = "rt has expired" if code == REFRESH_EXPIRED else "can not find related auth record"
        raise ShopError(code, told) from error


def _told(world: World, got: Token) -> Data:
    seller, creator = world.stores_of(got.tenant)[0], world.creators[got.tenant]
    is_creator = got.kind == "creator"
    return {
        "access_token": got.text,
        "access_token_expire_in": int((got.expires_at or LONG_AWAY).timestamp()),
        "refresh_token": got.refresh,
        "refresh_token_expire_in": int((got.refresh_ends or LONG_AWAY).timestamp()),
        "open_id": creator.open_id if is_creator else secret(world.config.seed, got.tenant, "tiktok seller")[:32],
        "seller_name": creator.username if is_creator else seller.name,
        "seller_base_region": seller.region,
        "user_type": USER_TYPES[got.kind],
        "granted_scopes": list(got.scopes),
    }


def _client(ours: App, kind: str) -> tuple[str, str]:
    """The parameter by which a page knows the app, and its value."""
    return ("app_key", ours.key) if kind == "creator" else ("service_id", ours.service_id)


def _choices(world: World, path: str, kind: str, kept: dict[str, str]) -> str:
    names = [creator.username for creator in world.creators]
    if kind == "seller":
        names = [", ".join(store.name for store in world.stores_of(each)) for each in range(len(world.shops))]
    links = [
        f'<li><a href="{path}?{escape(urlencode({**kept, "tenant": tenant, "allow": 1}))}">'
        f"Authorize as {escape(name)}</a></li>"
        for tenant, name in enumerate(names)
    ]
    return f"<h1>Let this app read your {'commissions' if kind == 'creator' else 'shop'}?</h1><ul>{''.join(links)}</ul>"


def _page(body: str, status: int = 200) -> Response:
    return Response(PAGE.format(body=body), status=status, mimetype="text/html")
