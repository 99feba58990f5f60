"""Shopify's consent page and its token endpoint.

The code grant, with tokens that last or that expire and are refreshed; the exchange of a session token or of a
lasting token; client credentials. The callback is signed as documented: the parameters without `hmac`, sorted,
joined as `k=v` with `&`, HMAC-SHA256 with the client secret in lower hex. Durations are in seconds. The endpoint takes
JSON and forms. Sources: Shopify's pages on the authorization code grant, token exchange and client credentials, and
its own libraries for how they word requests and errors.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import timedelta
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from connectors.sandbox.answers import Request, Response, answer, loads
from connectors.sandbox.logins import SCOPES, LoginError, Token
from connectors.sandbox.pushes import is_address
from connectors.sandbox.tenants import Shop
from connectors.sandbox.world import World

AUTHORIZE, ACCESS_TOKEN = "/admin/oauth/authorize", "/admin/oauth/access_token"
PATHS = (AUTHORIZE, ACCESS_TOKEN)
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Install app (sandbox)</title>
<meta name="viewport" content="width=device-width"></head><body><main>{body}</main></body></html>"""
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
SESSION = "urn:ietf:params:oauth:token-type:id_token"
OFFLINE = "urn:shopify:params:oauth:token-type:offline-access-token"
ONLINE = "urn:shopify:params:oauth:token-type:online-access-token"
DAY = timedelta(seconds=86_399)
Params = Mapping[str, Any]


class OAuthError(Exception):
    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.status = error, status


def origin(request: Request) -> str:
    """Where the sandbox itself is reached: a shop's own Host header names no address."""
    if not request.host.partition(":")[0].endswith(".myshopify.com"):
        return request.host_url.rstrip("/")
    host, port = request.environ["werkzeug.socket"].getsockname()[:2]
    return f"{request.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def named_shop(request: Request) -> str:
    """The shop that a request names by its Host header or `?shop=`; "" where it names none."""
    host = request.host.partition(":")[0]
    return host if host.endswith(".myshopify.com") else request.args.get("shop", "")


def respond(world: World, request: Request) -> Response:
    if request.path == AUTHORIZE and request.method == "GET":
        return _authorize(world, request)
    if request.path != ACCESS_TOKEN or request.method != "POST":
        return answer({"errors": "Not Found"}, 404)
    try:
        return answer(_access_token(world, request))
    except OAuthError as error:
        return answer({"error": error.error, "error_description": str(error)}, error.status)


def _authorize(world: World, request: Request) -> Response:
    """The consent page, or the way back from it."""
    asked, named = request.args, named_shop(request)
    back = asked.get("redirect_uri", "")
    shops = [shop for shop in world.shops if named in ("", shop.domain)]
    wanted = [scope for scope in asked.get("scope", "").split(",") if scope] or list(SCOPES["shopify"])
    if not shops:
        return _page("<h1>This shop does not exist</h1>", 404)
    if asked.get("client_id") != shops[0].client_id:
        return _page("<h1>Oauth error invalid_request: could not find the app</h1>", 400)
    if not is_address(back):
        return _page("<h1>Oauth error invalid_request: redirect_uri is not allowed</h1>", 400)
    if unknown := [scope for scope in wanted if scope not in SCOPES["shopify"]]:
        return _page(f"<h1>Oauth error invalid_scope: {escape(unknown[0][:60])}</h1>", 400)
    if asked.get("allow") == "1" and len(shops) == 1:
        code = world.logins.consent("shopify", shops[0].tenant, back, dict.fromkeys(wanted))
        return _back(world, shops[0], back, code, asked.get("state", ""))
    return _page(_choices(shops, asked, wanted))


def _back(world: World, shop: Shop, back: str, code: str, state: str) -> Response:
    store = f"admin.shopify.com/store/{shop.domain.partition('.')[0]}"
    told = dict(parse_qsl(urlsplit(back).query, keep_blank_values=True)) | {
        "code": code,
        "host": base64.b64encode(store.encode()).decode().rstrip("="),
        "shop": shop.domain,
        "state": state,
        "timestamp": str(int(world.logins.wall().timestamp())),
    }
    told["hmac"] = signature(told, shop.client_secret)
    location = urlsplit(back)._replace(query=urlencode(told)).geturl()
    return Response(status=302, headers={"Location": location})


def signature(params: Mapping[str, str], client_secret: str) -> str:
    """Of the parameters of a callback; `%` and `&` in a value are escaped, so that none can feign another."""
    pairs = (f"{name}={text}".replace("%", "%25").replace("&", "%26") for name, text in params.items())
    return hmac.new(client_secret.encode(), "&".join(sorted(pairs)).encode(), hashlib.sha256).hexdigest()


def _choices(shops: list[Shop], asked: Mapping[str, str], wanted: list[str]) -> str:
    kept = {name: asked.get(name, "") for name in ("client_id", "redirect_uri", "state", "scope")}
    links = [
        f'<li><a href="{escape(AUTHORIZE)}?{escape(urlencode({**kept, "shop": shop.domain, "allow": 1}))}">'
        f"Install in {escape(shop.name)}</a></li>"
        for shop in shops
    ]
    scopes = "".join(f"<li>{escape(scope)}</li>" for scope in wanted)
    return f"<h1>Install this app?</h1><p>It would be able to:</p><ul>{scopes}</ul><ul>{''.join(links)}</ul>"


def _page(body: str, status: int = 200) -> Response:
    return Response(PAGE.format(body=body), status=status, mimetype="text/html")


def _access_token(world: World, request: Request) -> dict[str, Any]:
    text = request.get_data(as_text=True)
    body = loads(text) if request.mimetype == "application/json" else dict(parse_qsl(text))
    params: Params = {**request.args, **body} if isinstance(body, dict) else {}
    app = world.shops[0]
    given = str(params.get("client_secret", "")).encode(errors="replace")
    if params.get("client_id") != app.client_id or not hmac.compare_digest(given, app.client_secret.encode()):
        raise OAuthError("invalid_client", "Client authentication failed.", 401)
    grant = GRANTS.get(str(params.get("grant_type", "authorization_code")))
    if grant is None:
        raise OAuthError("unsupported_grant_type", "The grant type is not supported.")
    named = named_shop(request)
    shop = next((shop for shop in world.shops if shop.domain == named), None)
    if named and shop is None:
        raise OAuthError("invalid_request", "The shop does not exist.", 404)
    return _told(world, *grant(world, params, shop))


def _for_code(world: World, params: Params, shop: Shop | None) -> tuple[Token, dict[str, Any]]:
    try:
        token = world.logins.exchange("shopify", str(params.get("code", "")), None, expiring=_expiring(params))
    except LoginError as error:
        text = "The authorization code was not found or was already used"
        raise OAuthError("invalid_request", text) from error
    if shop is not None and shop.tenant != token.tenant:
        world.logins.revoke("shopify", token.text)
        raise OAuthError("invalid_request", "The authorization code was not found or was already used")
    return token, {}


def _refreshed(world: World, params: Params, shop: Shop | None) -> tuple[Token, dict[str, Any]]:
    text = str(params.get("refresh_token", ""))
    owner = world.logins.owner_of_refresh("shopify", text)
    try:
        if shop is not None and owner not in (None, shop.tenant):
            raise LoginError("unknown_refresh")
        return world.logins.refresh("shopify", text), {}
    except LoginError as error:
        raise OAuthError("invalid_grant", "This request requires an active refresh_token") from error


def _for_credentials(world: World, params: Params, shop: Shop | None) -> tuple[Token, dict[str, Any]]:
    if shop is None:
        raise OAuthError("invalid_request", "The shop is not named.")
    return world.logins.issue("shopify", shop.tenant, SCOPES["shopify"], lives=DAY), {}


def _exchanged(world: World, params: Params, shop: Shop | None) -> tuple[Token, dict[str, Any]]:
    """A session token of an embedded app for an access token, or a lasting access token for one that expires."""
    kind, subject = params.get("subject_token_type"), str(params.get("subject_token", ""))
    wanted = params.get("requested_token_type", OFFLINE)
    if kind == OFFLINE:
        return _migrated(world, subject, params, shop), {}
    claims = _claims(subject, world.shops[0].client_secret) if kind == SESSION else {}
    domain = str(claims.get("dest", "")).removeprefix("https://")
    owner = next((each for each in world.shops if each.domain == domain), None)
    now = world.logins.wall().timestamp()
    starts, ends = claims.get("nbf"), claims.get("exp")
    living = isinstance(starts, int) and isinstance(ends, int) and starts <= now < ends
    if owner is None or shop not in (None, owner) or not living or claims.get("aud") != owner.client_id:
        raise OAuthError("invalid_subject_token", "The subject token is invalid.")
    if wanted == ONLINE:
        person = {"id": owner.tenant + 1, "first_name": "Sandbox", "last_name": "Owner", "account_owner": True}
        told = {"associated_user": person, "associated_user_scope": ",".join(SCOPES["shopify"])}
        return world.logins.issue("shopify", owner.tenant, SCOPES["shopify"], lives=DAY), told
    return world.logins.issue("shopify", owner.tenant, SCOPES["shopify"], expiring=_expiring(params)), {}


def _migrated(world: World, subject: str, params: Params, shop: Shop | None) -> Token:
    """The lasting token is dead afterwards."""
    old = world.logins.find("shopify", subject)
    if old is None or old.expires_at is not None or (shop is not None and shop.tenant != old.tenant):
        raise OAuthError("invalid_subject_token", "The subject token is invalid.")
    if not _expiring(params):
        raise OAuthError("invalid_request", "The token can only be exchanged for one that expires.")
    world.logins.revoke("shopify", subject)
    return world.logins.issue("shopify", old.tenant, old.scopes, expiring=True)


def _claims(session_token: str, client_secret: str) -> dict[str, Any]:
    """What a session token (a JWT, HS256) says; nothing unless it is signed."""
    signed, _, given = session_token.rpartition(".")
    true = hmac.new(client_secret.encode(), signed.encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(base64.urlsafe_b64encode(true).rstrip(b"="), given.encode()):
        return {}
    payload = signed.rpartition(".")[2]
    try:
        claims = loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode())
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}


def _expiring(params: Params) -> bool:
    return str(params.get("expiring", "")).lower() in ("1", "true")


def _told(world: World, token: Token, more: dict[str, Any]) -> dict[str, Any]:
    now = world.logins.wall()
    told: dict[str, Any] = {"access_token": token.text, "scope": ",".join(token.scopes)}
    if token.expires_at is not None:
        told["expires_in"] = round((token.expires_at - now).total_seconds())
    if token.refresh_ends is not None:
        told["refresh_token"] = token.refresh
        told["refresh_token_expires_in"] = round((token.refresh_ends - now).total_seconds())
    return told | more


GRANTS: dict[str, Callable[[World, Params, Shop | None], tuple[Token, dict[str, Any]]]] = {
    "authorization_code": _for_code,
    "refresh_token": _refreshed,
    "client_credentials": _for_credentials,
    EXCHANGE: _exchanged,
}
