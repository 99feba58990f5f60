"""Write a first `.env` with fresh keys: `python -m config.bootstrap [--demo]`. An existing one is kept."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from accounts.encryption import new_key

ROOT = Path(__file__).resolve().parent.parent
SANDBOX = "http://127.0.0.1:9400"
PLACES = (
    "META_BASE_URL",
    "META_DIALOG_URL",
    "TIKTOK_BASE_URL",
    "TIKTOK_DIALOG_URL",
    "SHOPIFY_BASE_URL",
    "TIKTOK_SHOP_BASE_URL",
    "TIKTOK_SHOP_AUTH_URL",
    "TIKTOK_SHOP_DIALOG_URL",
    "TIKTOK_SHOP_US_DIALOG_URL",
    "TIKTOK_SHOP_CREATOR_DIALOG_URL",
)
DEMO_LINES = (
    "".join(f"{name}={SANDBOX}\n" for name in PLACES) + "META_RATE_SCORE=9000\nTIKTOK_QPS=50\nTIKTOK_SHOP_QPS=50\n"
)


def content(*, is_demo: bool) -> str:
    text = (
        "# Written on first use; .env.example documents every variable. Keep it secret, keep a copy.\n"
        f"SECRET_KEY={secrets.token_urlsafe(60)}\n"
        f"FIELD_ENCRYPTION_KEYS={new_key('k1')}\n"
    )
    if is_demo:
        text += (
            "\n# The sandbox stands in for the platforms: remove these lines to talk to the real ones.\n" + DEMO_LINES
        )
    return text


def main() -> None:
    path = ROOT / ".env"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(content(is_demo="--demo" in sys.argv[1:]))
    print(f"wrote {path.name} with fresh keys")


if __name__ == "__main__":
    main()
