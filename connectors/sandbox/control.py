"""The control endpoints under `/_control/`: credentials, clock, ledger, faults, tokens, what people do, truth."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.sandbox.answers import Request, Response, answer, loads
from connectors.sandbox.faults import Faults
from connectors.sandbox.faults import read as read_fault
from connectors.sandbox.meta import MISHAPS
from connectors.sandbox.meta import Face as MetaFace
from connectors.sandbox.meta_fields import MetaError
from connectors.sandbox.shopify import Face as ShopifyFace
from connectors.sandbox.tenants import Account
from connectors.sandbox.tiktok import Face as TikTokFace
from connectors.sandbox.tiktok_shop import Face as TikTokShopFace
from connectors.sandbox.tiktok_shop_sellers import app, planted
from connectors.sandbox.tiktok_terms import TikTokError
from connectors.sandbox.world import MAX_ADVANCE_HOURS, World

PREFIX = "/_control/"
Editor = MetaFace | TikTokFace


class ControlError(Exception):
    """A request that cannot be done; the message is one clear line, `status` the HTTP status."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Control:
    def __init__(
        self,
        world: World,
        faults: Faults,
        meta: MetaFace,
        tiktok: TikTokFace,
        shopify: ShopifyFace,
        tiktok_shop: TikTokShopFace,
    ) -> None:
        self._world, self._faults, self._meta = world, faults, meta
        self._shopify, self._tiktok_shop = shopify, tiktok_shop
        self._editors: dict[str, Editor] = {"meta": meta, "tiktok": tiktok}
        self._table: dict[tuple[str, str], Callable[[Request], Any]] = {
            ("GET", "credentials"): lambda request: self._credentials(),
            ("GET", "clock"): lambda request: self._clock(),
            ("POST", "clock"): self._move_clock,
            ("GET", "ledger"): lambda request: self._world.ledger,
            ("GET", "faults"): lambda request: self._faults.waiting(),
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "token"): self._amend_token,
            ("POST", "human_edit"): self._human_edit,
            ("POST", "uninstall"): self._uninstall,
            ("POST", "comply"): self._comply,
            ("POST", "deauthorize"): self._deauthorize,
            ("GET", "truth"): self._truth,
        }

    def respond(self, request: Request) -> Response:
        name = request.path.removeprefix(PREFIX).strip("/")
        todo = self._table.get((request.method, name))
        if todo is None:
            known = any(path == name for _, path in self._table)
            return answer({"error": "no such control endpoint"}, 405 if known else 404)
        try:
            return answer(todo(request))
        except ControlError as error:
            return answer({"error": str(error)}, error.status)

    def _credentials(self) -> dict[str, Any]:
        each = [self._tenant(tenant) for tenant in range(len(self._world.shops))]
        return {**each[0], "tenants": each}

    def _tenant(self, tenant: int) -> dict[str, Any]:
        meta, tiktok = self._world.accounts_of(tenant, "meta"), self._world.accounts_of(tenant, "tiktok")
        shop = self._world.shops[tenant]
        return {
            "name": shop.name,
            "currency": shop.currency,
            "timezone": shop.zone,
            "meta": {"account_id": meta[0].id, **_several("account_ids", meta), **_app(meta[0])},
            "tiktok": {"advertiser_id": tiktok[0].id, **_several("advertiser_ids", tiktok), **_app(tiktok[0])},
            "shopify": {
                "shop": shop.domain,
                "access_token": shop.token,
                "client_id": shop.client_id,
                "client_secret": shop.client_secret,
            },
            "tiktok_shop": self._tiktok_shop_of(tenant),
        }

    def _tiktok_shop_of(self, tenant: int) -> dict[str, Any]:
        seed, stores = self._world.config.seed, self._world.stores_of(tenant)
        ours, creator = app(seed), self._world.creators[tenant]
        tokens = {each.kind: each for each in planted(seed, tenant)}
        return {
            "shop_id": stores[0].id,
            "shop_cipher": stores[0].cipher,
            "access_token": tokens["seller"].access,
            "refresh_token": tokens["seller"].refresh,
            "app_key": ours.key,
            "app_secret": ours.secret,
            "service_id": ours.service_id,
            "region": stores[0].region,
            "shop_ids": [store.id for store in stores],
            "shops": [{"shop_id": store.id, "shop_cipher": store.cipher, "name": store.name} for store in stores],
            "creator_id": creator.open_id,
            "creator_access_token": tokens["creator"].access,
            "creator_refresh_token": tokens["creator"].refresh,
        }

    def _clock(self) -> dict[str, Any]:
        factor = self._world.config.clock
        mode = "manual" if not factor else "real" if factor == 1 else str(factor)
        return {"now": self._world.now.isoformat(), "mode": mode}

    def _move_clock(self, request: Request) -> dict[str, Any]:
        body = _object(request)
        if set(body) == {"advance_hours"}:
            moment = self._world.now + timedelta(hours=_hours(body["advance_hours"]))
        elif set(body) == {"now"}:
            moment = _moment(body["now"])
        else:
            raise ControlError('send {"now": ISO time} or {"advance_hours": number}')
        try:
            self._world.advance_to(moment)
        except ValueError as error:
            raise ControlError(str(error)) from error
        return self._clock()

    def _add_fault(self, request: Request) -> list[dict[str, Any]]:
        body = _object(request)
        try:
            if str(body.get("fault")) in MISHAPS:
                self._befall(body)
            else:
                self._faults.add(body)
        except ValueError as error:
            raise ControlError(str(error)) from error
        return self._faults.waiting()

    def _befall(self, body: dict[str, Any]) -> None:
        """A fault inside Meta's answers, which the face keeps until a request comes that it can befall."""
        fault = read_fault({**body, "fault": "server_error"})
        if fault.platform not in ("", "meta") or fault.path or fault.method:
            raise ValueError(f"{body['fault']} is Meta's own and knows only a count")
        for _ in range(fault.count):
            self._meta.disturb(body["fault"])

    def _clear_faults(self, request: Request) -> list[dict[str, Any]]:
        self._faults.clear()
        return []

    def _amend_token(self, request: Request) -> dict[str, Any]:
        """End or narrow one token, as time or the merchant would."""
        body = _object(request)
        asked = set(body) - {"platform", "access_token"}
        logins = self._world.logins
        token = logins.find(str(body.get("platform")), str(body.get("access_token")))
        if token is None:
            raise ControlError("no such token on this platform", 404)
        if asked == {"revoke"} and body["revoke"] is True:
            logins.revoke(token.platform, token.text)
        elif asked == {"expire"} and body["expire"] is True:
            token = logins.expire(token)
        elif asked == {"scopes"} and _texts(body["scopes"]):
            token = logins.narrow(token, body["scopes"])
        else:
            raise ControlError('send one of "expire": true, "revoke": true, "scopes": [names]')
        return {
            "platform": token.platform,
            "tenant": token.tenant,
            "scopes": token.scopes,
            "expires_at": token.expires_at.isoformat() if token.expires_at else None,
            "revoked": logins.find(token.platform, token.text) is None,
        }

    def _human_edit(self, request: Request) -> dict[str, Any]:
        body = _object(request)
        editor = self._editors.get(str(body.get("platform")))
        if editor is None:
            raise ControlError(f"platform must be one of {', '.join(self._editors)}")
        target = self._world.objects.get(str(body.get("object_id")))
        if target is None or target.platform != editor.platform:
            raise ControlError("no such object on this platform", 404)
        if "account" in body and str(body["account"]).removeprefix("act_") != target.account.removeprefix("act_"):
            raise ControlError("the object belongs to another account", 404)
        try:
            editor.edit(target, str(body.get("field")), body.get("value"))
        except (MetaError, TikTokError) as error:
            raise ControlError(f"the platform refuses: {error.message}") from error
        return dict(self._world.ledger[-1])

    def _uninstall(self, request: Request) -> dict[str, Any]:
        """A merchant removes the app from a Shopify shop."""
        shop = _named(_object(request), "shop")
        return _done(lambda: self._shopify.uninstall(shop))

    def _comply(self, request: Request) -> dict[str, Any]:
        """Shopify pushes one of the compliance topics."""
        body = _object(request)
        payload, address = body.get("payload", {}), body.get("address", "")
        if not isinstance(payload, dict) or not isinstance(address, str):
            raise ControlError("payload must be an object and address a text")
        shop, topic = _named(body, "shop"), _named(body, "topic")
        return _done(lambda: self._shopify.comply(shop, topic, payload, address))

    def _deauthorize(self, request: Request) -> dict[str, Any]:
        """A seller on TikTok Shop takes the authorization back."""
        shop_id = _named(_object(request), "shop_id")
        return _done(lambda: self._tiktok_shop.deauthorize(shop_id))

    def _truth(self, request: Request) -> dict[str, Any]:
        """The market's hidden parameters and true totals; with `?hours=n` the true last n hours too."""
        market = self._world.market
        p = market.parameters
        text = request.args.get("hours", "0")
        if not re.fullmatch("[0-9]{1,6}", text):
            raise ControlError("hours must be a whole number")
        every = range(len(self._world.columns))
        spend, value, purchases = (
            market.known(name, every, 0, len(market.history)).sum(axis=0)
            for name in ("spend_micros", "value_micros", "purchases")
        )
        cvr = p.cvr
        ad_sets = [
            {
                "platform": o.platform,
                "account": o.account,
                "id": o.id,
                "roas_at_start": float(p.roas[o.column]),
                "scale_per_day": float(p.scale[o.column]),
                "cpm": float(p.cpm[o.column]),
                "ctr": float(p.ctr[o.column]),
                "cvr": float(cvr[o.column]),
                "spend_micros": int(spend[o.column]),
                "revenue_micros": int(value[o.column]),
                "purchases": int(purchases[o.column]),
                "hours": self._true_hours(o.column, int(text)),
            }
            for o in self._world.columns
        ]
        return {"seed": p.seed, "now": self._world.now.isoformat(), "ad_sets": ad_sets}

    def _true_hours(self, column: int, count: int) -> list[dict[str, Any]]:
        market = self._world.market
        newest = list(enumerate(market.history, market.first_hour))[-count:] if count else []
        return [
            {
                "hour": datetime.fromtimestamp(number * 3600, UTC).isoformat(),
                "spend_micros": int(hour.spend_micros[column]),
                "impressions": int(hour.impressions[column]),
                "clicks": int(hour.clicks[column]),
                "purchases": int(hour.purchases[column]),
                "revenue_micros": int(hour.value_micros[column]),
            }
            for number, hour in newest
            if column < len(hour.spend_micros)
        ]


def _several(name: str, accounts: list[Account]) -> dict[str, list[str]]:
    return {name: [account.id for account in accounts]} if len(accounts) > 1 else {}


def _named(body: dict[str, Any], name: str) -> str:
    if not isinstance(body.get(name), str):
        raise ControlError(f"{name} must be a text")
    return str(body[name])


def _done(todo: Callable[[], None]) -> dict[str, Any]:
    try:
        todo()
    except LookupError as error:
        raise ControlError(str(error), 404) from error
    except ValueError as error:
        raise ControlError(str(error)) from error
    return {"done": True}


def _texts(given: Any) -> bool:
    return isinstance(given, list) and all(isinstance(each, str) for each in given)


def _app(account: Account) -> dict[str, str]:
    return {
        "access_token": account.token,
        "app_id": account.app_id,
        "app_secret": account.app_secret,
    }


def _object(request: Request) -> dict[str, Any]:
    body = loads(request.get_data(as_text=True))
    if not isinstance(body, dict):
        raise ControlError("the body must be a JSON object")
    return body


def _hours(given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= MAX_ADVANCE_HOURS:
        raise ControlError(f"advance_hours must be a number from 0 to {MAX_ADVANCE_HOURS}")
    return float(given)


def _moment(given: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(str(given))
    except ValueError as error:
        raise ControlError("now must be an ISO 8601 time") from error
    if moment.tzinfo is None:
        raise ControlError("now must name its zone, as in 2026-11-20T15:00:00Z")
    return moment.astimezone(UTC)
