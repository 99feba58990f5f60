"""What a person can do about an error of a platform: one sentence each, by code where it tells, else by kind."""

from __future__ import annotations

from connectors.contracts import Platform
from connectors.errors import (
    AuthenticationError,
    ConnectorError,
    MalformedReplyError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    TransientError,
)
from connectors.tiktok_shop.errors import UnsupportedRegionError
from connectors.tiktok_shop.regions import REGIONS

NAMES: dict[str, str] = {
    Platform.META: "Meta",
    Platform.TIKTOK: "TikTok",
    Platform.SHOPIFY: "Shopify",
    Platform.TIKTOK_SHOP: "TikTok Shop",
}
NO_ACTIVE_SHOP = (
    "This login opens no active shop: activate one in TikTok Shop's seller centre, or log in with the seller's "
    "main account, and connect again."
)

CONNECT_AGAIN = "Connect {name} again: this login is over."
GRANT = "Grant the missing permission to the app at {name}, then connect again."
WAIT = "Nothing to do: {name} asks for a pause, and reading goes on by itself."
TRY_AGAIN = "Nothing to do unless it lasts: {name} did not answer properly, and it is asked again."
SET_UP = "Check id and secret of the {name} app in the settings."
INACTIVE = "Ask the owner to settle it in TikTok Shop's seller centre: the shop or its seller is deactivated there."

# By platform and by the platform's own code, where that says more than the kind of the error.
BY_CODE: dict[str, dict[str, str]] = {
    Platform.META: {
        "341": "Look at the account's notices in Meta's business support: Meta has limited it.",
        "368": "Look at the account's notices in Meta's business support: Meta has blocked it for a breach of policy.",
    },
    Platform.TIKTOK: {
        "40118": "Ask TikTok to open this part of the API for the app.",
        "40300": "Have the advertiser's role checked in TikTok's business centre, then connect again.",
    },
    Platform.SHOPIFY: {
        "402": "Have the shop's bill at Shopify paid: the shop is frozen.",
        "403": GRANT,
        "404": "Check the shop's address: Shopify knows no such shop.",
        "423": "Have the shop unlocked at Shopify: it is locked.",
        "ACCESS_DENIED": GRANT,
    },
    Platform.TIKTOK_SHOP: {
        "101000": "Connect TikTok Shop again, as the seller whose shop this is: the login belongs to another one.",
        "105001": "Connect TikTok Shop again: this login is not one for what was asked.",
        "105005": "Grant the missing scope to the app in TikTok Shop's Partner Center, then connect again.",
        "106001": SET_UP,
        "106013": "Connect TikTok Shop again: what names the shop in requests is missing.",
        "36004004": "Connect TikTok Shop again: the code of a login works once, within 30 minutes.",
        "36009004": "Check the server's clock, and id and secret of the app in the settings; if they are right, "
        "connect TikTok Shop again.",
        "36009014": "Update Bursar: TikTok Shop has ended this version of its API.",
        "36009033": "Add the server's address to the app's list in TikTok Shop's Partner Center.",
        "36009043": INACTIVE,
        "36009044": INACTIVE,
    },
}
# The first that fits.
BY_KIND: tuple[tuple[type[ConnectorError], str], ...] = (
    (UnsupportedRegionError, f"Connect a shop of one of these markets: {', '.join(REGIONS)}."),
    (AuthenticationError, CONNECT_AGAIN),
    (PermissionDeniedError, GRANT),
    (RateLimitedError, WAIT),
    (TransientError, TRY_AGAIN),
    (MalformedReplyError, "Report this to support: {name} answered in a form that this version cannot read."),
    (NotFoundError, "Check that it still exists at {name}, and that this login may see it."),
)


def next_step(error: ConnectorError) -> str:
    """What a person can do about it; "" where there is nothing to say beyond the error itself."""
    code = error.code.partition("/")[0]  # Meta's may be followed by a subcode
    by_kind = next((step for kind, step in BY_KIND if isinstance(error, kind)), "")
    step = BY_CODE.get(error.platform, {}).get(code, by_kind)
    return step.format(name=NAMES.get(error.platform, "the platform"))


def no_orders(days: int) -> str:
    """The note on a period in which nothing was sold: an answer, not a gap."""
    return f"No orders in the last {days} days: revenue is zero, which is taken as true."
