"""A real browser (the system's Chromium, named by TEST_BROWSER) in front of a real server.

Playwright runs an event loop in the thread that uses it. It lives in a thread of its own, since Django gives
a thread with a running loop other database connections than the ones that the test and its server share.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from tests.automation.conftest import _in_scope, box, platform_urls, town

__all__ = ["_in_scope", "box", "platform_urls", "town"]

Result = TypeVar("Result")
PATIENCE = 10_000  # milliseconds until something awaited counts as missing


class Chromium:
    """One browser in one thread."""

    def __init__(self, path: str) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._playwright: Playwright = self.run(lambda: sync_playwright().start())
        self.browser: Browser = self.run(
            lambda: self._playwright.chromium.launch(
                executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
            )
        )

    def run(self, step: Callable[[], Result]) -> Result:
        return self._thread.submit(step).result()

    def close(self) -> None:
        self.run(self.browser.close)
        self.run(self._playwright.stop)
        self._thread.shutdown()


class Visitor:
    """A person at the browser, and the `troubles` on the way: foreign requests and errors of scripts."""

    def __init__(self, chromium: Chromium, home: str) -> None:
        self.home, self.troubles, self._run = home, list[str](), chromium.run
        size: Any = {"width": 1360, "height": 900}
        self._page: Page = self._run(lambda: chromium.browser.new_page(viewport=size))
        self._run(self._listen)

    def _listen(self) -> None:
        own, page, note = (self.home, "data:"), self._page, self.troubles.append
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda seen: None if seen.url.startswith(own) else note(seen.url))
        page.on("pageerror", lambda error: note(str(error)))
        page.on("console", lambda line: note(line.text) if line.type == "error" else None)

    def do(self, step: Callable[[Page], Result]) -> Result:
        """Run a step with the page, in the browser's thread."""
        return self._run(lambda: step(self._page))

    def open(self, path: str) -> None:
        self.do(lambda page: page.goto(self.home + path))

    def press(self, name: str, *, inside: str = "body") -> None:
        """Press the button of this name."""
        self.do(lambda page: page.locator(inside).get_by_role("button", name=name).click())

    def sees(self, text: str, *, inside: str = "body") -> None:
        """Wait until the text is there."""
        self.do(lambda page: expect(page.locator(inside)).to_contain_text(text, timeout=PATIENCE))

    def log_in(self, user: User) -> None:
        def steps(page: Page) -> None:
            page.goto(f"{self.home}/admin/login/")
            page.fill("#id_username", user.username)
            page.fill("#id_password", "correct horse")
            page.press("#id_password", "Enter")
            page.wait_for_url("**/admin/")

        self.do(steps)

    def wear(self, theme: str) -> None:
        self.do(lambda page: page.evaluate("theme => localStorage.setItem('adminTheme', JSON.stringify(theme))", theme))

    def leave(self) -> None:
        self.do(lambda page: page.close())


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    browser = Chromium(os.environ["TEST_BROWSER"])
    yield browser
    browser.close()


@pytest.fixture
def visitor(chromium: Chromium, live_server: LiveServer) -> Iterator[Visitor]:
    someone = Visitor(chromium, live_server.url)
    yield someone
    someone.leave()
