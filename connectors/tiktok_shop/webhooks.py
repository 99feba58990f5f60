"""Which news TikTok Shop is asked to push, and to where: one address for each event of a shop."""

from __future__ import annotations

import re

from connectors.contracts import Platform
from connectors.errors import ConfigurationError
from connectors.fields import rows, text
from connectors.tiktok_shop.api import Api

PATH = "/event/202309/webhooks"
LONGEST_ADDRESS = 255
EVENTS = (
    "ORDER_STATUS_CHANGE",  # type 1
    "PRODUCT_STATUS_CHANGE",  # 5
    "SELLER_DEAUTHORIZATION",  # 6
    "UPCOMING_AUTHORIZATION_EXPIRATION",  # 7
    "CANCELLATION_STATUS_CHANGE",  # 11
    "RETURN_STATUS_CHANGE",  # 12
)


def subscribe(api: Api, address: str) -> int:
    """See `Subscribing`. Setting an address twice changes nothing, so a lost answer is asked for again."""
    if len(address) > LONGEST_ADDRESS or not re.fullmatch(r"https?://[\x21-\x7e]+", address):
        message = f"tiktok shop: news go to an http address of at most {LONGEST_ADDRESS} characters"
        raise ConfigurationError(message, platform=Platform.TIKTOK_SHOP)
    listed = rows(api.ask("GET", PATH).get("webhooks", []), "webhooks")
    held = {text(one, "event_type", 64): text(one, "address", LONGEST_ADDRESS) for one in listed}
    missing = [event for event in EVENTS if held.get(event) != address]
    unwanted = [event for event, target in held.items() if target == address and event not in EVENTS]
    for event in missing:
        api.ask("PUT", PATH, body={"address": address, "event_type": event})
    for event in unwanted:
        api.ask("DELETE", PATH, body={"event_type": event})
    return len(missing) + len(unwanted)
