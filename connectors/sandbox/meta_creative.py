"""What Meta's ads show: creatives and their fields, read from a creative's story where it has one.

The ads that the demo tenants start with show creatives that nobody can edit; they follow from the ad.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from connectors.sandbox.tenants import CATALOGUE, AdObject
from connectors.sandbox.world import World

Reader = Callable[[World, Any], Any]

FROM_AD = 500_000_000  # from the id of a planted ad to that of its creative
STORIES = {"link_data": "SHARE", "video_data": "VIDEO", "photo_data": "PHOTO"}
PARTS = {
    "title": ("name", "title"),
    "body": ("message",),
    "image_hash": ("image_hash",),
    "video_id": ("video_id",),
}


def creative_of(world: World, ad: AdObject) -> AdObject | None:
    """The creative that an ad shows."""
    named = ad.extra.get("creative_id")
    return planted(world, ad) if named is None else find(world, str(named))


def find(world: World, node: str) -> AdObject | None:
    """Any object of the world, and the planted creatives."""
    if (thing := world.objects.get(node)) is not None or not re.fullmatch(r"[0-9]{18}", node):
        return thing
    ad = world.objects.get(str(int(node) - FROM_AD))
    return planted(world, ad) if ad is not None and ad.platform == "meta" and ad.kind == "ad" else None


def planted(world: World, ad: AdObject) -> AdObject:
    """The creative that an ad came with."""
    shop = world.shops[world.accounts[ad.account].tenant]
    product = CATALOGUE[int(ad.id) % len(CATALOGUE)][0]
    link = f"https://{shop.domain}/products/{product.lower().replace(' ', '-')}"
    page = str(10_170_000_000_000_001 + world.accounts[ad.account].tenant)
    story = {
        "link": link,
        "message": f"{product}, made to last. From {shop.name}.",
        "name": product,
        "call_to_action": {"type": "SHOP_NOW", "value": {"link": link}},
    }
    extra = {
        "object_story_spec": {"page_id": page, "link_data": story},
        "effective_object_story_id": f"{page}_{ad.id}",
        "is_planted": True,
    }
    identity = str(int(ad.id) + FROM_AD)
    account = ad.account
    return AdObject(
        ad.platform, "creative", identity, account, account, ad.name, ad.created, ad.created, "ACTIVE", extra=extra
    )


def creatives(world: World, account: str) -> list[AdObject]:
    """All creatives of an account, in the order in which they came."""
    old = [planted(world, ad) for ad in world.account_objects(account, "ad") if "creative_id" not in ad.extra]
    return old + [o for o in world.account_objects(account, "creative") if "material" not in o.extra]


def _story(thing: AdObject) -> dict[str, Any]:
    """The part of `object_story_spec` that holds the texts, {} when there is none."""
    spec = thing.extra.get("object_story_spec")
    found = [spec.get(name) for name in STORIES] if isinstance(spec, dict) else []
    return next((part for part in found if isinstance(part, dict)), {})


def _told(name: str) -> Reader:
    def read(world: World, thing: AdObject) -> Any:
        story = _story(thing)
        return thing.extra.get(name) or next((story[part] for part in PARTS[name] if story.get(part)), None)

    return read


def _call_to_action(world: World, thing: AdObject) -> Any:
    action = _story(thing).get("call_to_action")
    return thing.extra.get("call_to_action_type") or (action.get("type") if isinstance(action, dict) else None)


def _link(world: World, thing: AdObject) -> Any:
    story = _story(thing)
    action = story.get("call_to_action")
    behind = action.get("value") if isinstance(action, dict) else None
    told = story.get("link") or (behind.get("link") if isinstance(behind, dict) else None)
    return thing.extra.get("link_url") or told


def _object_type(world: World, thing: AdObject) -> str:
    spec = thing.extra.get("object_story_spec")
    told = [kind for name, kind in STORIES.items() if isinstance(spec, dict) and name in spec]
    return str(thing.extra.get("object_type") or (told[0] if told else "SHARE"))


def _extra(name: str) -> Reader:
    return lambda w, o: o.extra.get(name)


CREATIVE: dict[str, Reader] = {
    "id": lambda w, o: o.id,
    "account_id": lambda w, o: o.account.removeprefix("act_"),
    "name": lambda w, o: o.name,
    "status": lambda w, o: o.status,
    "object_type": _object_type,
    "call_to_action_type": _call_to_action,
    "link_url": _link,
    "thumbnail_url": lambda w, o: f"https://scontent.example/{o.id}.jpg",
    **{name: _told(name) for name in PARTS},
    **{
        name: _extra(name)
        for name in (
            "actor_id",
            "asset_feed_spec",
            "effective_object_story_id",
            "image_url",
            "instagram_user_id",
            "object_story_id",
            "object_story_spec",
            "object_url",
            "product_set_id",
            "template_url",
            "url_tags",
        )
    },
}
