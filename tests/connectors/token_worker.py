"""One of several processes that need the same token at once; its platform writes down what it is asked.

Called with the credential, the file for what is asked, and how the platform behaves: `answers` or `dies`.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta
from pathlib import Path

import django

django.setup()

from accounts.clock import wall_now  # noqa: E402
from accounts.models import Credential  # noqa: E402
from accounts.scoping import all_tenants  # noqa: E402
from connectors import registry  # noqa: E402
from connectors.contracts import Platform  # noqa: E402
from connectors.login_contracts import Grant, LoginApp  # noqa: E402
from connectors.tokens import fresh  # noqa: E402

SLOW = 0.5  # seconds: long enough for everybody to come while one is asking


class Rotating:
    platform = Platform.SHOPIFY

    def __init__(self, asked: Path, *, dies: bool) -> None:
        self.asked, self.dies = asked, dies

    def refresh(self, grant: Grant) -> Grant:
        with self.asked.open("a") as file:
            file.write(grant.refresh_token + "\n")
        time.sleep(SLOW)
        if self.dies:
            os._exit(9)
        now = wall_now()
        return Grant("token-2", "refresh-2", now + timedelta(hours=1), (), now + timedelta(days=90))


def main() -> None:
    credential, asked, manner = sys.argv[1:]
    platform = Rotating(Path(asked), dies=manner == "dies")

    def made(app: LoginApp) -> Rotating:
        return platform

    registry.LOGINS[Platform.SHOPIFY] = made  # type: ignore[assignment]
    with all_tenants():
        row = Credential.objects.get(pk=credential)
        print("ready", flush=True)
        sys.stdin.readline()
        print(fresh(row).access_token, flush=True)


if __name__ == "__main__":
    main()
