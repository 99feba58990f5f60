"""The first page and the banner."""

from __future__ import annotations

import json
from datetime import timedelta

from django.urls import reverse

from accounts.alerts import raise_alert
from accounts.models import AdAccount
from accounts.scoping import all_tenants
from automation.kill_switch import engage
from metrics.models import SyncedHour
from tests.admin.conftest import As
from tests.factories import AS_OF, House, add_history, awaiting


def test_figures_end_with_the_newest_hour_that_was_read(house: House, log_in: As) -> None:
    add_history(house, hours=80, as_of=AS_OF)
    page = log_in(house.viewer).get(reverse("admin:index")).content.decode()
    assert f"{AS_OF:%a} {AS_OF.day} {AS_OF:%b %Y, %H:%M} UTC" in page
    assert "144.00 USD" in page  # three ad sets, 2 an hour, 24 hours
    chart = json.loads(page.split('id="chart-data" type="application/json">')[1].split("</script>")[0])
    assert len(chart["labels"]) == 72 and chart["series"]["Spend"][-1] == 6


def test_an_unknown_figure_is_a_dash_and_not_zero(house: House, log_in: As) -> None:
    with all_tenants():
        SyncedHour.objects.create(tenant=house.tenant, ad_account=house.account, hour=AS_OF, known_at=AS_OF)
    page = log_in(house.viewer).get(reverse("admin:index")).content.decode()
    assert '<p class="b-kpi-value">–</p>' in page and "0.00 USD" not in page


def test_before_the_first_sync_the_next_step_is_told(house: House, log_in: As) -> None:
    assert "No hour has been read yet" in log_in(house.viewer).get(reverse("admin:index")).content.decode()


def test_the_fragment_comes_only_when_something_has_changed(house: House, log_in: As) -> None:
    add_history(house)
    client, url = log_in(house.viewer), reverse("admin:dashboard")
    version = client.get(url).content.decode().split('data-version="')[1].split('"')[0]
    assert client.get(url, {"seen": version}).status_code == 204
    with all_tenants():
        SyncedHour.objects.create(tenant=house.tenant, ad_account=house.account, hour=AS_OF, known_at=AS_OF)
    assert client.get(url, {"seen": version}).status_code == 200
    version = client.get(url).content.decode().split('data-version="')[1].split('"')[0]
    awaiting(house)
    assert client.get(url, {"seen": version}).status_code == 200


def test_what_waits_and_what_is_wrong_stands_on_the_first_page(house: House, log_in: As) -> None:
    add_history(house)
    awaiting(house)
    with all_tenants():
        raise_alert(house.tenant, key="k", severity="critical", message="the token of Meta has expired")
        SyncedHour.objects.filter(hour__gte=AS_OF - timedelta(hours=1)).delete()
    page = log_in(house.viewer).get(reverse("admin:index")).content.decode()
    assert "Decide on 1" in page and "the token of Meta has expired" in page


def test_a_source_behind_the_others_is_marked(house: House, log_in: As) -> None:
    add_history(house)
    with all_tenants():
        AdAccount.objects.create(
            tenant=house.tenant,
            platform="tiktok",
            external_id="7",
            name="late",
            currency="USD",
            timezone="UTC",
            credential=house.account.credential,
        )
    page = log_in(house.viewer).get(reverse("admin:index")).content.decode()
    assert "never read" in page and page.count(">Behind<") == 1


def test_the_banner_tells_the_stage_and_the_switch_on_every_page(house: House, log_in: As) -> None:
    client = log_in(house.viewer)
    pages = [
        reverse(name)
        for name in ("admin:index", "admin:approvals", "admin:automation_action_changelist", "admin:kill_switch")
    ]
    for url in pages:
        page = client.get(url).content.decode()
        assert "Kill switch open" in page and "b-stage-expand" in page and "b-banner-stop" not in page, url
    with all_tenants():
        engage(tenant=house.tenant, reason="prices are wrong", actor=house.owner)
    for url in pages:
        page = client.get(url).content.decode()
        assert "b-banner-stop" in page and "prices are wrong" in page, url


def test_the_sidebar_counts_what_waits(house: House, log_in: As) -> None:
    client = log_in(house.viewer)
    before = client.get(reverse("admin:index")).context["sidebar_navigation"][0]["items"][1]
    assert "badge" not in before
    awaiting(house)
    after = client.get(reverse("admin:index")).context["sidebar_navigation"][0]["items"][1]
    assert after["badge"] == "1"
