"""What a login is for, from what a person typed or chose: a Shopify shop's host, a kind of TikTok Shop account.

Checked before anything is asked of anybody: a host that is not a shop's never becomes an address of ours.
"""

from __future__ import annotations

import re

from connectors.contracts import Platform
from connectors.errors import ConfigurationError
from connectors.shopify.client import shop_host

KINDS = {
    "seller": "A seller outside the United States",
    "seller_us": "A seller in the United States",
    "creator": "A creator, for commissions",
}
_REST = r"(?:[/?#][\x21-\x7e]*)?"
_ADDRESSES = (
    re.compile(r"([a-zA-Z0-9-]+)"),
    re.compile(rf"(?:https?://)?([a-zA-Z0-9-]+)\.myshopify\.com{_REST}", re.IGNORECASE),
    re.compile(rf"(?:https?://)?admin\.shopify\.com/store/([a-zA-Z0-9-]+){_REST}", re.IGNORECASE),
)
LONGEST = 500


class SubjectError(Exception):
    """What was typed or chosen cannot be asked for; one clear line."""


def subject_of(platform: Platform, text: str) -> str:
    """The subject of a login. Raises `SubjectError`."""
    if platform is Platform.SHOPIFY:
        return _shop(text)
    expected = KINDS if platform is Platform.TIKTOK_SHOP else {"": ""}
    if text not in expected:
        raise SubjectError("Choose which kind of account is to be connected.")
    return text


def speaks_for(subject: str) -> str:
    """The subject as a token has it: sellers inside and outside the United States are both sellers."""
    return "seller" if subject == "seller_us" else subject


def _shop(text: str) -> str:
    """`some-shop`, its address, or that of its admin as a browser shows it."""
    names = (pattern.fullmatch(text) for pattern in _ADDRESSES) if len(text) <= LONGEST else iter(())
    name = next((match[1] for match in names if match), "")
    try:
        return shop_host(f"{name}.myshopify.com")
    except ConfigurationError:
        raise SubjectError(
            "Type the address that Shopify gave the shop, such as some-shop.myshopify.com. It stands in the shop's "
            "admin under Settings, Domains; the shop's own domain is not enough."
        ) from None
