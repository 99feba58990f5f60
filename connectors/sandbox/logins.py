"""The platforms' logins: consents, codes and tokens of this world, kept in the journal; expiry is in wall time.

The tokens that `/_control/credentials` hands out are planted: they never expire and may do everything. A login
makes a code, the code once a token. Where tokens are refreshed, each refresh gives a new pair, and the refresh token
that was used stays usable until its replacement is used, so that an answer may get lost (Shopify's rule since
2026-08-28, at most 30 days from its first use). Callers hold the world's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from connectors.sandbox.journal import Entry, Journal
from connectors.sandbox.tenants import Account, Shop, secret

SCOPES: dict[str, tuple[str, ...]] = {
    "meta": ("ads_management", "ads_read", "business_management"),
    "tiktok": tuple(str(number) for number in range(1, 16)),  # TikTok numbers its scopes
    "shopify": ("read_all_orders", "read_customers", "read_inventory", "read_orders", "read_products"),
    "tiktok_shop": (
        "creator.affiliate_collaboration.read",
        "data.shop_analytics.public.read",
        "seller.affiliate_collaboration.read",
        "seller.authorization.info",
        "seller.finance.info",
        "seller.order.info",
        "seller.product.basic",
        "seller.return_refund.basic",
        "seller.shop.info",
    ),
}
CODE_LIVES = {
    "meta": timedelta(minutes=10),
    "tiktok": timedelta(hours=1),
    "shopify": timedelta(minutes=10),
    "tiktok_shop": timedelta(minutes=30),
}
TOKEN_LIVES: dict[str, timedelta | None] = {
    "meta": timedelta(hours=2),
    "tiktok": None,
    "shopify": None,
    "tiktok_shop": timedelta(seconds=604_800),
}
EXPIRING_LIVES = {"shopify": timedelta(hours=1)}  # of those who ask for a token that expires
RENEWED_LIVES = {"meta": timedelta(seconds=5_183_944)}  # Meta's long-lived token: about 60 days
REFRESH_LIVES = {"shopify": timedelta(seconds=7_776_000), "tiktok_shop": timedelta(days=365)}
SECOND_USE = timedelta(days=30)
PREFIXES = {"meta": "EAAB", "shopify": "shpat_", "tiktok_shop": "ROW_"}
REFRESH_PREFIXES = {"shopify": "shprt_", "tiktok_shop": "ROW_"}
LENGTHS = {"meta": 64, "tiktok": 40, "shopify": 32, "tiktok_shop": 64}


class LoginError(Exception):
    """A code or token that cannot be used. `reason` is one of `unknown_code`, `used_code`, `expired_code`,
    `other_redirect`, `unknown_token`, `expired_token`, `not_renewable`, `unknown_refresh`, `expired_refresh`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason.replace("_", " "))
        self.reason = reason


@dataclass(frozen=True)
class Token:
    """`refresh` is "" for a token that cannot be refreshed, `kind` "seller" or "creator" on TikTok Shop; `replaces`
    is the token whose refresh gave this one."""

    text: str = field(repr=False)
    platform: str
    tenant: int
    scopes: tuple[str, ...]
    expires_at: datetime | None  # wall time; None: never
    refresh: str = field(default="", repr=False)
    refresh_ends: datetime | None = None
    kind: str = ""
    replaces: str = field(default="", repr=False)

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


@dataclass
class _Code:
    tenant: int
    redirect_uri: str
    scopes: tuple[str, ...]
    ends: datetime
    kind: str = ""
    used: bool = False


class Logins:
    """`wall` tells the time; a test may move it."""

    def __init__(self, seed: int, journal: Journal) -> None:
        self.wall: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._seed, self._journal = seed, journal
        self._tokens: dict[tuple[str, str], Token] = {}
        self._refreshes: dict[tuple[str, str], str] = {}  # the access token of each refresh token
        self._codes: dict[tuple[str, str], _Code] = {}
        self._issued = 0

    def plant(self, accounts: Iterable[Account], shops: Iterable[Shop]) -> None:
        for account in accounts:
            self.plant_one(account.platform, account.token, account.tenant)
        for shop in shops:
            self.plant_one("shopify", shop.token, shop.tenant)

    def plant_one(self, platform: str, text: str, tenant: int, kind: str = "") -> None:
        self._tokens[platform, text] = Token(text, platform, tenant, SCOPES[platform], None, kind=kind)

    def consent(self, platform: str, tenant: int, redirect_uri: str, scopes: Iterable[str], kind: str = "") -> str:
        """A fresh code: the merchant has agreed."""
        text = secret(self._seed, platform, "code", len(self._codes), self.wall().isoformat())
        ends = self.wall() + CODE_LIVES[platform]
        self._codes[platform, text] = _Code(tenant, redirect_uri, tuple(scopes), ends, kind)
        return text

    def exchange(self, platform: str, code: str, redirect_uri: str | None, *, expiring: bool = False) -> Token:
        """A token for a code, once. `redirect_uri` must be that of the consent; None: not compared. `expiring` asks
        for a token that ends and is refreshed, where a platform leaves the choice. Raises LoginError."""
        found = self._codes.get((platform, code))
        if found is None:
            raise LoginError("unknown_code")
        if found.used:
            raise LoginError("used_code")
        if found.ends <= self.wall():
            raise LoginError("expired_code")
        if redirect_uri not in (None, found.redirect_uri):
            raise LoginError("other_redirect")
        found.used = True
        return self.issue(platform, found.tenant, found.scopes, kind=found.kind, expiring=expiring)

    def renew(self, platform: str, token_text: str) -> Token:
        """A longer-lived token beside the old one (Meta). Raises LoginError, also where tokens never expire."""
        token = self.find(platform, token_text)
        if token is None:
            raise LoginError("unknown_token")
        if token.is_expired(self.wall()):
            raise LoginError("expired_token")
        if platform not in RENEWED_LIVES:
            raise LoginError("not_renewable")
        return self._issue(platform, token.tenant, token.scopes, RENEWED_LIVES[platform])

    def refresh(self, platform: str, refresh_text: str) -> Token:
        """A new pair beside the old one. Raises LoginError."""
        used = self._refreshable(platform, refresh_text)
        now = self.wall()
        if used is None or used.refresh_ends is None:
            raise LoginError("unknown_refresh")
        if used.refresh_ends <= now:
            raise LoginError("expired_refresh")
        self._keep(replace(used, refresh_ends=min(used.refresh_ends, now + SECOND_USE)))
        before = self.find(platform, used.replaces)
        if before is not None:
            self._keep(replace(before, refresh="", refresh_ends=None))
        return self.issue(platform, used.tenant, used.scopes, kind=used.kind, expiring=True, replaces=used.text)

    def owner_of_refresh(self, platform: str, refresh_text: str) -> int | None:
        """The tenant of a refresh token, `None` for one that is unknown."""
        token = self._refreshable(platform, refresh_text)
        return token.tenant if token is not None else None

    def revoke(self, platform: str, token_text: str) -> bool:
        """End a token and its refresh token at once; whether there was one."""
        found = self.find(platform, token_text) is not None
        if found:
            self._note({"kind": "token_end", "platform": platform, "text": token_text})
        return found

    def revoke_all(self, platform: str, tenant: int, kind: str | None = None) -> None:
        """End every token of a tenant, the planted one too, as uninstalling an app does; or only those of a kind."""
        for token in list(self._tokens.values()):
            if (token.platform, token.tenant) == (platform, tenant) and kind in (None, token.kind):
                self.revoke(platform, token.text)

    def living(self, platform: str, tenant: int, kind: str) -> list[Token]:
        """A tenant's tokens that have not been revoked; an expired one can still be refreshed."""
        of = platform, tenant, kind
        return [token for token in self._tokens.values() if (token.platform, token.tenant, token.kind) == of]

    def find(self, platform: str, token_text: str) -> Token | None:
        """The token, expired or not; None if it is unknown or revoked."""
        return self._tokens.get((platform, token_text))

    def expire(self, token: Token) -> Token:
        """Let it expire now, as time would."""
        return self._keep(replace(token, expires_at=self.wall()))

    def narrow(self, token: Token, scopes: Iterable[str]) -> Token:
        """Leave it these scopes, as a merchant does who takes some back."""
        return self._keep(replace(token, scopes=tuple(scopes)))

    def replay(self, entry: Entry) -> None:
        """Take in what the journal kept (`token`, `token_end`)."""
        key = entry["platform"], entry["text"]
        before = self._tokens.pop(key, None)
        if before is not None:
            self._refreshes.pop((before.platform, before.refresh), None)
        if entry["kind"] == "token_end":
            return
        self._tokens[key] = Token(
            entry["text"],
            entry["platform"],
            entry["tenant"],
            tuple(entry["scopes"]),
            _time(entry["expires_at"]),
            refresh := entry.get("refresh", ""),
            _time(entry.get("refresh_ends")),
            entry.get("of", ""),
            entry.get("replaces", ""),
        )
        if refresh:
            self._refreshes[entry["platform"], refresh] = entry["text"]
        self._issued = max(self._issued, entry["issued"])

    def issue(
        self,
        platform: str,
        tenant: int,
        scopes: tuple[str, ...],
        *,
        kind: str = "",
        expiring: bool = False,
        replaces: str = "",
        lives: timedelta | None = None,
    ) -> Token:
        """A token without a code, as for grants between servers; one with a life of its own is never refreshed."""
        if lives is not None:
            return self._issue(platform, tenant, scopes, lives, None, kind)
        usual = TOKEN_LIVES[platform]
        lives = EXPIRING_LIVES.get(platform, usual) if expiring else usual
        refreshed = REFRESH_LIVES.get(platform) if lives is not None else None
        return self._issue(platform, tenant, scopes, lives, refreshed, kind, replaces)

    def _issue(
        self,
        platform: str,
        tenant: int,
        scopes: tuple[str, ...],
        lives: timedelta | None,
        refreshed: timedelta | None = None,
        kind: str = "",
        replaces: str = "",
    ) -> Token:
        self._issued += 1
        text, refresh = (
            secret(self._seed, tenant, platform, name, self._issued)[: LENGTHS[platform]]
            for name in ("token", "refresh token")
        )
        token = Token(
            PREFIXES.get(platform, "") + text,
            platform,
            tenant,
            scopes,
            self.wall() + lives if lives is not None else None,
            REFRESH_PREFIXES[platform] + refresh if refreshed is not None else "",
            self.wall() + refreshed if refreshed is not None else None,
            kind,
            replaces,
        )
        return self._keep(token)

    def _refreshable(self, platform: str, refresh_text: str) -> Token | None:
        return self.find(platform, self._refreshes.get((platform, refresh_text), ""))

    def _keep(self, token: Token) -> Token:
        self._note(
            {
                "kind": "token",
                "text": token.text,
                "platform": token.platform,
                "tenant": token.tenant,
                "scopes": token.scopes,
                "expires_at": _text(token.expires_at),
                "refresh": token.refresh,
                "refresh_ends": _text(token.refresh_ends),
                "of": token.kind,
                "replaces": token.replaces,
                "issued": self._issued,
            }
        )
        return self._tokens[token.platform, token.text]

    def _note(self, entry: Entry) -> None:
        self._journal.append(entry)
        self.replay(entry)


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None
