"""The Shopify face: the Admin API in GraphQL over a subset of the real schema, OAuth, bulk files, webhooks.

Errors are as Shopify's: HTTP 200 with `errors` for queries, THROTTLED and MAX_COST_EXCEEDED, HTTP 401 for a token
it does not know or that has expired. The cost bucket follows wall time.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from graphql import GraphQLResolveInfo

from connectors.sandbox import shopify_graphql, shopify_oauth
from connectors.sandbox.answers import Bucket, Request, Response, answer, loads
from connectors.sandbox.pushes import Pushes
from connectors.sandbox.shopify_bulk import FILES, Bulk
from connectors.sandbox.shopify_graphql import QueryError, schema
from connectors.sandbox.shopify_hooks import Hooks
from connectors.sandbox.shopify_nodes import Node, Resolver, Session, gid
from connectors.sandbox.shopify_reads import node, reads
from connectors.sandbox.tenants import Shop
from connectors.sandbox.world import Change, World

VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10")  # an older one falls forward to the first
PATH = re.compile(r"/admin/api/(\d{4}-\d{2}|unstable)/graphql\.json$")
PLANS = {"standard": (2000, 100), "advanced": (4000, 200), "plus": (20000, 1000)}
UNKNOWN = "[API] Invalid API key or access token (unrecognized login or wrong password)"


class Face:
    """Answers for one world; keeps a cost bucket per shop. Callers hold the world's lock."""

    platform = "shopify"

    def __init__(self, world: World, pushes: Pushes, plan: str = "plus") -> None:
        self.world, self.pushes = world, pushes
        size, rate = PLANS[plan]
        self._buckets = {shop.domain: Bucket(size, rate) for shop in world.shops}
        self.hooks = Hooks(world, pushes)
        self.bulk = Bulk(self._session_of, self._root, self.hooks)

    def respond(self, request: Request) -> Response:
        if request.path in shopify_oauth.PATHS:
            return shopify_oauth.respond(self.world, request)
        if request.path.startswith(FILES):
            return self.bulk.file(request.path)
        match = PATH.match(request.path)
        if match is None or request.method != "POST":
            return answer({"errors": "Not Found"}, 404)
        version = match[1] if match[1] in (*VERSIONS, "unstable") else VERSIONS[0]
        session = self._session(request, version)
        if session is None:
            return answer({"errors": UNKNOWN}, 401)
        response = self._answer(session, request)
        response.headers["X-Shopify-API-Version"] = version
        response.headers["X-Shop-Id"] = session.shop.id
        return response

    def received(self, request: Request) -> list[Change]:
        return []

    def fault(self, kind: str) -> tuple[Response, str]:
        """The answer of a fault, and its code."""
        if kind == "rate_limit":
            return answer(shopify_graphql.throttled(next(iter(self._buckets.values())))), "THROTTLED"
        if kind == "too_many_requests":
            return answer({"errors": "Too Many Requests"}, 429, {"Retry-After": "2.0"}), "429"
        if kind == "server_error":
            return answer({"errors": "Internal Server Error"}, 500), "500"
        return answer({"errors": UNKNOWN}, 401), "401"

    def uninstall(self, shop_domain: str) -> None:
        """The merchant removes the app: its tokens are dead, then `app/uninstalled` is pushed. Raises LookupError."""
        shop = self._named(shop_domain)
        self.world.logins.revoke_all("shopify", shop.tenant)
        self.hooks.uninstalled(shop)

    def change_shop(self, shop_domain: str, name: str) -> None:
        """The merchant renames the shop; `shop/update` is pushed. Not kept in the state. Raises LookupError."""
        shop = replace(self._named(shop_domain), name=name)
        self.world.shops[shop.tenant] = shop
        self.hooks.shop_changed(shop)

    def comply(self, shop_domain: str, topic: str, payload: dict[str, Any] | None = None, address: str = "") -> None:
        """Push one of the three compliance topics (`shopify_hooks.COMPLIANCE`). `payload` completes the documented
        keys; `address` is where the app wants them, by default where it was last subscribed. Raises LookupError."""
        self.hooks.comply(self._named(shop_domain), topic, payload or {}, address)

    def _named(self, domain: str) -> Shop:
        for shop in self.world.shops:
            if shop.domain == domain:
                return shop
        raise LookupError(f"no shop has the domain {domain[:100]}")

    def _session(self, request: Request, version: str) -> Session | None:
        """By a living token; a shop's own Host header or `?shop=` must agree with it."""
        token = self.world.logins.find("shopify", request.headers.get("X-Shopify-Access-Token", ""))
        if token is None or token.is_expired(self.world.logins.wall()):
            return None
        session = self._session_of(token.tenant, token.scopes, version, shopify_oauth.origin(request))
        return session if shopify_oauth.named_shop(request) in ("", session.shop.domain) else None

    def _session_of(self, tenant: int, scopes: tuple[str, ...], version: str, origin: str = "") -> Session:
        return Session(self.world, self.world.shops[tenant], frozenset(scopes), version, origin)

    def _answer(self, session: Session, request: Request) -> Response:
        body = loads(request.get_data(as_text=True))
        if not isinstance(body, dict) or not isinstance(body.get("query"), str):
            return answer({"errors": {"query": "Required parameter missing or invalid"}}, 400)
        try:
            query = shopify_graphql.read(body["query"], body.get("variables"), body.get("operationName"))
        except QueryError as error:
            return answer({"errors": error.errors})
        bucket = self._buckets[session.shop.domain]
        return answer(shopify_graphql.answer_to(query, self._root(session), session, bucket))

    def _root(self, session: Session) -> dict[str, Resolver]:
        return {
            **reads(session),
            **self.bulk.fields(session),
            **self.hooks.fields(session),
            "node": lambda info, id: self._node(info, session, id),
            "nodes": lambda info, ids: [self._node(info, session, each) for each in ids],
            "currentAppInstallation": lambda info: _installation(session),
            "appUninstall": lambda info: self._app_uninstall(session),
        }

    def _node(self, info: GraphQLResolveInfo, session: Session, identity: str) -> Node | None:
        found = self.bulk.node(session, identity) or self.hooks.node(session, identity)
        return found or node(info, session, identity)

    def _app_uninstall(self, session: Session) -> Node:
        self.uninstall(session.shop.domain)
        return {"app": _app(session), "userErrors": []}


def _app(session: Session) -> Node:
    return {"__typename": "App", "id": gid("App", 1), "title": "Sandbox", "apiKey": session.shop.client_id}


def _installation(session: Session) -> Node:
    scopes = [{"handle": scope, "description": scope.replace("_", " ").capitalize()} for scope in session.scopes]
    return {
        "__typename": "AppInstallation",
        "id": gid("AppInstallation", session.shop.id),
        "app": _app(session),
        "accessScopes": sorted(scopes, key=lambda scope: scope["handle"]),
    }


__all__ = ["Face", "schema"]
