"""The TikTok Shop face: the Partner API of shops and creators, and its OAuth pages.

Every answer of the API is `{code, message, data, request_id}`. What a request must bring is checked in this order: its
path, the app's key, the time, the signature, the token and its scope, the shop's cipher, and how many came before it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable
from typing import NamedTuple

from connectors.sandbox import (
    tiktok_shop_affiliates,
    tiktok_shop_finance,
    tiktok_shop_login,
    tiktok_shop_orders,
    tiktok_shop_products,
    tiktok_shop_returns,
    tiktok_shop_statistics,
)
from connectors.sandbox.answers import Bucket, Request, Response, answer
from connectors.sandbox.logins import Token
from connectors.sandbox.pushes import Pushes
from connectors.sandbox.tiktok_shop_hooks import Hooks
from connectors.sandbox.tiktok_shop_sellers import Store, app
from connectors.sandbox.tiktok_shop_terms import (
    BAD_REQUEST,
    CIPHER_FOREIGN,
    CIPHER_MISSING,
    INTERNAL,
    RATE_LIMITED,
    SCOPE_MISSING,
    SIGN_INVALID,
    TOKEN_EXPIRED,
    TOKEN_INVALID,
    UNKNOWN_PATH,
    WRONG_METHOD,
    Asked,
    Data,
    ShopError,
    body_of,
    signature,
)
from connectors.sandbox.world import Change, World

PATHS = (
    "/affiliate_creator/",
    "/affiliate_seller/",
    "/alliance/",
    "/analytics/",
    "/api/v2/token/",
    "/authorization/",
    "/event/",
    "/finance/",
    "/open/authorize",
    "/order/",
    "/product/",
    "/return_refund/",
    "/seller/",
)
EARLIEST, LATEST = -300, 30  # seconds around now that a request's timestamp may lie
BURST, CALLS_PER_SECOND = 1000, 50

Handler = Callable[[Asked], Data]


class Route(NamedTuple):
    """`scope` also says whose token it takes: a creator's where it begins so, a seller's otherwise."""

    method: str
    pattern: str
    handler: Handler
    scope: str
    needs_shop: bool = True


class Face:
    """Answers for one world; keeps the call allowance of each shop, which follows wall time."""

    platform = "tiktok_shop"

    def __init__(self, world: World, pushes: Pushes) -> None:
        self.world, self.pushes = world, pushes
        self.hooks = Hooks(world, pushes)
        self.allowance = BURST, CALLS_PER_SECOND
        self._app = app(world.config.seed)
        self._buckets: dict[str, Bucket] = {}
        self._served = 0
        self._routes = (*ROUTES, *_hook_routes(self.hooks))

    def respond(self, request: Request) -> Response:
        if request.path in (tiktok_shop_login.SELLERS, tiktok_shop_login.CREATORS):
            return tiktok_shop_login.consent(self.world, request)
        if request.path.startswith(tiktok_shop_login.TOKENS):
            return self._token(request)
        try:
            asked, handler = self._admit(request)
            return self._envelope(0, "Success", handler(asked))
        except ShopError as error:
            return self._refusal(error)

    def received(self, request: Request) -> list[Change]:
        return []

    def fault(self, kind: str) -> tuple[Response, str]:
        """The answer of a fault, and its code."""
        error = ShopError(*FAULTS[kind])
        return self._refusal(error), str(error.code)

    def deauthorize(self, shop_id: str) -> None:
        """The seller of a shop takes the authorization of all his shops back: tokens are dead, then each shop's
        webhook is pushed. Raises LookupError."""
        store = next((store for store in self.world.stores if store.id == shop_id), None)
        if store is None:
            raise LookupError(f"no TikTok Shop has the id {shop_id[:100]}")
        self.world.logins.revoke_all("tiktok_shop", store.tenant, "seller")
        self.hooks.deauthorized(store.tenant)

    def _token(self, request: Request) -> Response:
        """Refusals of the token endpoints come with HTTP 200."""
        if request.method != "GET":
            return Response("404 page not found", 404, mimetype="text/plain")
        try:
            return self._envelope(0, "success", tiktok_shop_login.token(self.world, request))
        except ShopError as error:
            return self._envelope(error.code, error.message, None)

    def _admit(self, request: Request) -> tuple[Asked, Handler]:
        """Raises ShopError for a request that must not be answered."""
        route, path = self._route(request)
        self._check_signature(request)
        token = self._living(request.headers.get("x-tts-access-token", ""), route)
        shop = self._shop(request.args.get("shop_cipher"), token, route)
        self._count(shop.id if shop else f"{token.kind} {token.tenant}")
        args = {name: ",".join(values) if name == "ids" else values[0] for name, values in request.args.lists()}
        now = int(self.world.now.timestamp())
        asked = Asked(self.world, token, shop, args, body_of(request), route.pattern, path, now, self._app.secret)
        return asked, route.handler

    def _route(self, request: Request) -> tuple[Route, dict[str, str]]:
        found = [(route, match) for route in self._routes if (match := re.fullmatch(route.pattern, request.path))]
        for route, match in found:
            if route.method == request.method:
                return route, match.groupdict()
        if found:
            raise ShopError(WRONG_METHOD, "Invalid method. This path takes another HTTP method.")
        raise ShopError(UNKNOWN_PATH, "no schema found")

    def _check_signature(self, request: Request) -> None:
        args = request.args
        if args.get("app_key") != self._app.key:
            raise ShopError(BAD_REQUEST, "Invalid app_key. The app does not exist.")
        stamp = args.get("timestamp", "")
        late = int(stamp) - time.time() if stamp.isascii() and stamp.isdecimal() and len(stamp) < 12 else None
        if late is None or not EARLIEST <= late <= LATEST:
            raise ShopError(BAD_REQUEST, "Invalid timestamp. It must be from 5 minutes ago to 30 seconds ahead.")
        if not (given := args.get("sign", "")):
            raise ShopError(BAD_REQUEST, "Invalid request. The 'sign' query parameter is missing.")
        if not hmac.compare_digest(given.encode(), signature(request, self._app.secret).encode()):
            raise ShopError(SIGN_INVALID, "Invalid credentials. The 'sign' query parameter is invalid.")

    def _living(self, text: str, route: Route) -> Token:
        if not text:
            raise ShopError(BAD_REQUEST, "Invalid request. The 'x-tts-access-token' header is missing.")
        token = self.world.logins.find("tiktok_shop", text)
        if token is None:
            raise ShopError(TOKEN_INVALID, "Invalid credentials. The access token is invalid.")
        if token.is_expired(self.world.logins.wall()):
            raise ShopError(*FAULTS["expired_token"])
        if token.kind != ("creator" if route.scope.startswith("creator.") else "seller"):
            raise ShopError(TOKEN_INVALID, "Invalid credentials. The access token is of another type of user.")
        if route.scope and route.scope not in token.scopes:
            raise ShopError(SCOPE_MISSING, "Access denied. The app or the token lacks the scope of this API.")
        return token

    def _shop(self, cipher: str | None, token: Token, route: Route) -> Store | None:
        if not route.needs_shop:
            if cipher is not None:
                raise ShopError(BAD_REQUEST, "Invalid request. 'shop_cipher' is not expected here.")
            return None
        if not cipher:
            raise ShopError(CIPHER_MISSING, "Invalid request. The 'shop_cipher' query parameter is missing.")
        for store in self.world.stores_of(token.tenant):
            if hmac.compare_digest(store.cipher.encode(), cipher.encode()):
                return store
        raise ShopError(CIPHER_FOREIGN, "The access token does not belong to the shop of this cipher.")

    def _count(self, caller: str) -> None:
        bucket = self._buckets.setdefault(caller, Bucket(*self.allowance))
        if not bucket.take(1, time.monotonic()):
            raise ShopError(*FAULTS["rate_limit"])

    def _refusal(self, error: ShopError) -> Response:
        headers = {"Retry-After": "1"} if error.code == RATE_LIMITED else None
        return self._envelope(error.code, error.message, None, error.status, headers)

    def _envelope(
        self, code: int, message: str, data: Data | None, status: int = 200, headers: dict[str, str] | None = None
    ) -> Response:
        self._served += 1
        request_id = (
            f"{self.world.now:%Y%m%d%H%M%S}{hashlib.sha256(str(self._served).encode()).hexdigest()[:18].upper()}"
        )
        return answer({"code": code, "message": message, "data": data, "request_id": request_id}, status, headers)


def _authorized(asked: Asked) -> Data:
    names = ("id", "name", "region", "seller_type", "cipher", "code")
    stores = asked.world.stores_of(asked.token.tenant)
    return {"shops": [{name: getattr(store, name) for name in names} for store in stores]}


def _active(asked: Asked) -> Data:
    stores = asked.world.stores_of(asked.token.tenant)
    return {"shops": [{"id": store.id, "region": store.region} for store in stores]}


def _hook_routes(hooks: Hooks) -> tuple[Route, ...]:
    path, scope = "/event/202309/webhooks", "seller.authorization.info"
    verbs = {"GET": hooks.listing, "PUT": hooks.subscribe, "DELETE": hooks.unsubscribe}
    return tuple(Route(method, path, handler, scope) for method, handler in verbs.items())


CREATOR, STATISTICS = "creator.affiliate_collaboration.read", "data.shop_analytics.public.read"
DATE = "(?P<date>[^/]+)"
ROUTES = (
    Route("GET", "/authorization/202309/shops", _authorized, "seller.authorization.info", False),
    Route("GET", "/seller/202309/shops", _active, "seller.shop.info", False),
    Route("POST", "/order/202309/orders/search", tiktok_shop_orders.search, "seller.order.info"),
    Route("GET", "/order/(202309|202507)/orders", tiktok_shop_orders.details, "seller.order.info"),
    Route("GET", "/finance/202309/statements", tiktok_shop_finance.statements, "seller.finance.info"),
    Route("GET", "/finance/202605/payments", tiktok_shop_finance.payments, "seller.finance.info"),
    Route("GET", "/finance/202309/payments", tiktok_shop_finance.retired_payments, "seller.finance.info"),
    Route(
        "POST",
        "/affiliate_seller/202410/orders/search",
        tiktok_shop_affiliates.seller_orders,
        "seller.affiliate_collaboration.read",
    ),
    Route("POST", "/affiliate_creator/202410/orders/search", tiktok_shop_affiliates.creator_orders, CREATOR, False),
    Route("GET", "/affiliate_creator/202508/profiles", tiktok_shop_affiliates.profile, CREATOR, False),
    Route("POST", "/product/202502/products/search", tiktok_shop_products.search, "seller.product.basic"),
    Route("POST", "/return_refund/202602/returns/search", tiktok_shop_returns.search, "seller.return_refund.basic"),
    Route(
        "GET",
        f"/analytics/202510/shop/performance/{DATE}/performance_per_hour",
        tiktok_shop_statistics.by_hour,
        STATISTICS,
    ),
    Route("GET", "/analytics/202609/shop/performance", tiktok_shop_statistics.by_day, STATISTICS),
    Route("GET", "/analytics/202606/shop_performances/overview", tiktok_shop_statistics.score, STATISTICS),
    Route("GET", "/analytics/202606/shop_performances/metrics", tiktok_shop_statistics.metrics, STATISTICS),
)
FAULTS = {
    "rate_limit": (RATE_LIMITED, "Too many requests. Please retry later."),
    "server_error": (INTERNAL, "Internal error. Please try again."),
    "expired_token": (TOKEN_EXPIRED, "Expired credentials. The access token has expired."),
}
