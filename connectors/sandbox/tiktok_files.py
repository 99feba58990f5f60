"""What an ad needs beside itself on TikTok: identities to speak as, videos and images, pixels.

Uploads are kept as creatives of the account, so they are booked and outlive a restart. The sandbox fetches nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from connectors.sandbox.answers import Request
from connectors.sandbox.tenants import Account, AdObject
from connectors.sandbox.tiktok_terms import Outcome, TikTokError, body_of, listed, page, text, utc
from connectors.sandbox.world import World

IDENTITY_TYPE = "CUSTOMIZED_USER"
NAME_AT_MOST = 100
UPLOADS = {"file/video/ad/upload/": "video", "file/image/ad/upload/": "image"}
INFOS = {"file/video/ad/info/": "video", "file/image/ad/info/": "image"}


def identities(world: World, account: Account, params: Mapping[str, str]) -> dict[str, Any]:
    identity = {
        "identity_id": identity_id(account),
        "identity_type": IDENTITY_TYPE,
        "display_name": world.shops[account.tenant].name,
        "profile_image": "",
        "available_status": "AVAILABLE",
    }
    wanted = params.get("identity_type", IDENTITY_TYPE)
    shown, info = page([identity] if wanted == IDENTITY_TYPE else [], params)
    return {"identity_list": shown, "page_info": info}


def identity_id(account: Account) -> str:
    return str(7_200_000_000_000_000_000 + int(account.id) % 10**12)


def pixels(world: World, account: Account, params: Mapping[str, str]) -> dict[str, Any]:
    number = int(account.id) % 10**12
    pixel = {
        "pixel_id": str(7_250_000_000_000_000_000 + number),
        "pixel_code": f"C{number:019d}",
        "pixel_name": f"{world.shops[account.tenant].name} web",
        "activity_status": "ACTIVE",
        "events": [{"event_type": "ON_WEB_ORDER", "name": "Complete payment"}],
    }
    shown, info = page([pixel], params)
    return {"pixels": shown, "page_info": info}


def upload(world: World, account: Account, path: str, request: Request) -> Outcome:
    """Take a video or an image in. The answer's data is a list for videos, an object for images."""
    kind, body = UPLOADS[path], body_of(request)
    try:
        source = _source(kind, body, request)
        name = str(body.get("file_name") or f"{kind}-{source[:12]}")
        if not 1 <= len(name) <= NAME_AT_MOST:
            raise TikTokError(40002, f"file_name: between 1 and {NAME_AT_MOST} characters.")
        if any(thing.name == name for thing in _materials(world, account, kind)):
            raise TikTokError(40911, "Duplicated material name.")
    except TikTokError as error:
        world.refuse_create(account, "creative", str(error.code))
        raise
    extra = {"material": kind, "source": source}
    made = world.create(account, "creative", account.id, name, status="ENABLE", extra=extra)
    return Outcome([_shown(made)] if kind == "video" else _shown(made))


def infos(world: World, account: Account, path: str, params: Mapping[str, str]) -> dict[str, Any]:
    kind = INFOS[path]
    wanted = listed(params, f"{kind}_ids") or []
    return {"list": [_shown(thing) for thing in _materials(world, account, kind) if _file_id(thing) in wanted]}


def _source(kind: str, body: dict[str, Any], request: Request) -> str:
    """The address or the digest of what is uploaded. Raises TikTokError when it is missing or damaged."""
    way = body.get("upload_type", "UPLOAD_BY_FILE")
    if way == "UPLOAD_BY_URL":
        address = text(body, f"{kind}_url", 2000)
        if not address.startswith(("http://", "https://")):
            raise TikTokError(40903, f"{kind}_url: the address is not available.")
        return address
    sent = request.files.get(f"{kind}_file")
    if way != "UPLOAD_BY_FILE" or sent is None:
        raise TikTokError(40002, f"{kind}_file: Missing data for required field.")
    digest = hashlib.md5(sent.read(), usedforsecurity=False).hexdigest()
    if digest != body.get(f"{kind}_signature"):
        raise TikTokError(40900, f"{kind}_signature: does not match the file.")
    return digest


def _materials(world: World, account: Account, kind: str) -> list[AdObject]:
    return [o for o in world.account_objects(account.id, "creative") if o.extra.get("material") == kind]


def _file_id(thing: AdObject) -> str:
    return f"v10044g50000{thing.id}" if thing.extra["material"] == "video" else f"ad-site-i18n-sg/{thing.id}"


def _shown(thing: AdObject) -> dict[str, Any]:
    kind = str(thing.extra["material"])
    digest = hashlib.md5(str(thing.extra["source"]).encode(), usedforsecurity=False).hexdigest()
    common = {"file_name": thing.name, "material_id": thing.id, "signature": digest, "displayable": True}
    measures = {"video": {"width": 720, "height": 1280, "duration": 15.0, "format": "mp4"}}
    others = {"width": 1200, "height": 628, "format": "jpeg"}
    return {f"{kind}_id": _file_id(thing), **common, **measures.get(kind, others), "create_time": utc(thing.created)}
