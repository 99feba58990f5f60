"""A person approves a change in a browser, and sees it verified on the platform."""

from __future__ import annotations

import pytest

from automation.dispatch import dispatch
from automation.manual import propose_change
from automation.models import Action
from automation.states import State
from metrics.pull import pull
from tests.automation.conftest import Town
from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGES = (
    "/admin/",
    "/admin/approvals/",
    "/admin/kill-switch/",
    "/admin/automation/action/",
    "/admin/automation/limits/",
    "/admin/rules/rule/",
    "/admin/metrics/order/",
    "/admin/accounts/adset/",
    "/admin/tiktok-shop/",
    "/admin/credit/",
    "/admin/connectors/delivery/",
)


@pytest.fixture
def proposed(town: Town) -> Action:
    """A raise that the buyer proposed and that waits for somebody else."""
    ad_set = town.ad_set()
    assert ad_set.daily_budget_micros is not None
    action = propose_change(
        tenant=town.tenant,
        ad_set=ad_set,
        kind="set_budget",
        target=ad_set.daily_budget_micros * 110 // 100,
        reason="it sells well",
        actor=town.people["buyer"],
        actor_name="buyer",
    )
    assert action.state == State.AWAITING_APPROVAL, action.note
    return action


def test_an_approved_change_is_seen_verified(town: Town, proposed: Action, visitor: Visitor) -> None:
    card, row = f"article[data-action='{proposed.pk}']", f"tr[data-action='{proposed.pk}']"
    visitor.log_in(town.people["approver"])
    visitor.do(lambda page: page.get_by_role("link", name="Approvals").first.click())
    visitor.sees("it sells well", inside=card)
    visitor.press("Approve", inside=card)
    visitor.sees("You are about to approve 1 change")
    assert town.writes() == []
    visitor.press("Approve 1 change")
    visitor.sees("Approved", inside=row)
    dispatch(proposed.pk)
    visitor.sees("Verified", inside=row)
    written = [(line["object_id"], line["result"]) for line in town.writes()]
    assert written == [(proposed.ad_set.external_id, "applied")]
    visitor.open(f"/admin/automation/action/{proposed.pk}/change/")
    visitor.sees("Applied", inside=".b-timeline")
    assert visitor.troubles == []


def test_a_refused_change_is_never_written(town: Town, proposed: Action, visitor: Visitor) -> None:
    visitor.log_in(town.people["approver"])
    visitor.open("/admin/approvals/")
    visitor.do(lambda page: page.get_by_label("Select all").check())
    visitor.press("Refuse selected")
    visitor.do(lambda page: page.locator("textarea").fill("a sale starts tomorrow"))
    visitor.press("Refuse 1 change")
    visitor.sees("Rejected", inside=f"tr[data-action='{proposed.pk}']")
    assert dispatch(proposed.pk) is None
    assert town.writes() == []
    assert visitor.troubles == []


def test_hours_that_arrive_appear_by_themselves(town: Town, visitor: Visitor) -> None:
    visitor.log_in(town.people["viewer"])
    visitor.sees(f"{town.box.now():%H:%M} UTC", inside=".b-asof")
    town.box.post("clock", advance_hours=1)
    pull(town.tenant, as_of=town.box.now())
    visitor.sees(f"{town.box.now():%H:%M} UTC", inside=".b-asof")
    assert visitor.troubles == []


def test_the_main_pages_fit_a_phone_in_light_and_dark(town: Town, proposed: Action, visitor: Visitor) -> None:
    visitor.log_in(town.people["owner"])
    visitor.do(lambda page: page.set_viewport_size({"width": 390, "height": 844}))
    for theme in ("light", "dark"):
        visitor.wear(theme)
        for path in (*PAGES, f"/admin/automation/action/{proposed.pk}/change/"):
            visitor.open(path)
            assert visitor.do(lambda page: page.evaluate("document.documentElement.scrollWidth")) <= 392, path
            assert visitor.do(lambda page: page.locator("html").get_attribute("class")) == theme, path
    assert visitor.troubles == []
