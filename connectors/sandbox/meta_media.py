"""Images and videos for ads. They are kept as creatives with a `material`, so they are booked and last."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlsplit

from connectors.sandbox.meta_errors import MetaError, missing
from connectors.sandbox.meta_lists import page
from connectors.sandbox.meta_session import Call
from connectors.sandbox.tenants import AdObject


def add_video(call: Call) -> dict[str, str]:
    """A video that Meta fetches itself (the sandbox fetches nothing); uploads in parts are not served."""
    address = call.params.get("file_url")
    if address is None:
        raise missing("file_url")
    if "[" in address or urlsplit(address).scheme not in ("http", "https"):
        raise MetaError(100, "Unable to fetch video file from URL.", 1363057, blame="file_url")
    name = call.params.get("name") or call.params.get("title") or "Untitled video"
    return {"id": _keep(call, name, {"material": "video", "source": address}).id}


def add_image(call: Call) -> dict[str, Any]:
    data = call.params.get("bytes")
    if not data:
        raise missing("bytes")
    digest = hashlib.md5(data.encode(errors="replace"), usedforsecurity=False).hexdigest()
    image = _keep(call, call.params.get("name") or digest, {"material": "image", "hash": digest})
    return {"images": {"bytes": {name: _image(image)[name] for name in ("hash", "url", "name")}}}


def _keep(call: Call, name: str, extra: dict[str, Any]) -> AdObject:
    return call.world.create(call.account, "creative", call.account.id, name[:400], status="ACTIVE", extra=extra)


def images(call: Call) -> dict[str, Any]:
    mine = [o for o in call.world.account_objects(call.account.id, "creative") if o.extra.get("material") == "image"]
    return page(call, [o.id for o in mine], lambda k: _image(mine[k]))


def _image(thing: AdObject) -> dict[str, Any]:
    digest = str(thing.extra["hash"])
    account = thing.account.removeprefix("act_")
    url = f"https://scontent.example/{digest}.jpg"
    return {"id": f"{account}:{digest}", "hash": digest, "name": thing.name, "url": url, "status": "ACTIVE"}


def video(thing: AdObject) -> dict[str, Any]:
    return {"id": thing.id, "title": thing.name, "status": {"video_status": "ready"}}
