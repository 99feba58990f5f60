"""TikTok's own client for Python against the sandbox, over real HTTP.

The client is used as its documents show, with nothing changed but the host.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.sandbox.server import running_sandbox
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.visitor import Visitor

# Imported by name, because the package's layout stops type checkers.
official: Any = import_module("business_api_client")
ApiException: Any = import_module("business_api_client.rest").ApiException
TiktokSDKError: Any = import_module("business_api_client.tiktok_business.tiktok_exceptions").TiktokSDKError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:business_api_client.*")

SLOTS = {"billing_event": "OCPM", "optimization_goal": "CONVERT", "schedule_type": "SCHEDULE_FROM_NOW"}


class Client:
    """The official client for the first tenant's advertiser, and a visitor beside it who looks behind the scenes."""

    def __init__(self, url: str) -> None:
        configuration = official.Configuration()
        configuration.host = url
        client = official.ApiClient(configuration)
        self.raw = client
        self.visitor = Visitor(url)
        self.token = self.visitor.who["tiktok"]["access_token"]
        self.advertiser = self.visitor.advertiser
        self.campaigns = official.CampaignCreationApi(client)
        self.groups = official.AdgroupApi(client)
        self.ads = official.AdApi(client)
        self.reports = official.ReportingApi(client)
        self.login = official.AuthenticationApi(client)
        self.accounts = official.AccountManagementApi(client)
        self.files = official.FileApi(client)
        self.identities = official.IdentityApi(client)

    def group(self, identity: str, **filtering: Any) -> dict[str, Any]:
        wanted = official.FilteringAdgroupGet(adgroup_ids=[identity], **filtering)
        answer = self.groups.adgroup_get(self.advertiser, self.token, filtering=wanted)
        (found,) = answer["data"]["list"]
        return dict(found)

    def first_group(self) -> dict[str, Any]:
        return dict(self.groups.adgroup_get(self.advertiser, self.token)["data"]["list"][0])


@pytest.fixture
def client() -> Iterator[Client]:
    with running_sandbox(start=START, days=3) as running:
        client = Client(running.url)
        yield client
        client.raw.pool.close()
        client.raw.rest_client.pool_manager.clear()
        client.visitor.client.close()


def pages(read: Any, client: Client, page_size: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    number = 1
    while True:
        data = read(client.advertiser, client.token, page=number, page_size=page_size)["data"]
        found += data["list"]
        if number >= data["page_info"]["total_page"]:
            assert number > 1
            return found
        number += 1


def code_of(error: pytest.ExceptionInfo[Exception]) -> int:
    return int(str(error.value).removeprefix("Error Code: ").split(",")[0])


def test_it_lists_campaigns_and_ad_groups_with_their_budgets_over_several_pages(client: Client) -> None:
    campaigns = pages(client.campaigns.campaign_get, client, 2)
    assert [(c["budget"], c["budget_mode"]) for c in campaigns] == [
        (0.0, "BUDGET_MODE_INFINITE"),
        (0.0, "BUDGET_MODE_INFINITE"),
        (78.0, "BUDGET_MODE_DAY"),
    ]
    groups = pages(client.groups.adgroup_get, client, 4)
    assert [group["budget"] for group in groups] == [40.0, 36.0, 48.0, 30.0, 0.0, 0.0]
    assert len({ad["ad_id"] for ad in pages(client.ads.ad_get, client, 5)}) == 12


def test_it_reads_an_hourly_report(client: Client) -> None:
    answer = client.reports.report_integrated_get(
        "BASIC",
        client.token,
        advertiser_id=client.advertiser,
        service_type="AUCTION",
        data_level="AUCTION_ADGROUP",
        dimensions=["adgroup_id", "stat_time_hour"],
        metrics=["spend", "impressions", "clicks", "objective_type", "conversion", "real_time_conversion"],
        start_date="2026-11-04",
        end_date="2026-11-04",
        page_size=1000,
    )
    rows = answer["data"]["list"]
    assert len({row["dimensions"]["stat_time_hour"] for row in rows}) == 24
    assert sum(Decimal(row["metrics"]["spend"]) for row in rows) > 100
    assert {row["metrics"]["objective_type"] for row in rows} == {"WEB_CONVERSIONS"}


def test_it_changes_a_budget_and_reads_it_back(client: Client) -> None:
    group = client.first_group()["adgroup_id"]
    body = official.AdgroupUpdateBody(adgroup_id=group, advertiser_id=client.advertiser, budget=44.5)
    answer = client.groups.adgroup_update(client.token, body=body)
    assert (answer["data"]["adgroup_id"], answer["data"]["budget"]) == (group, 44.5)
    assert client.group(group)["budget"] == 44.5
    (row,) = client.visitor.ledger()
    assert (row["field"], row["old"], row["new"], row["result"]) == ("budget", 40.0, 44.5, "applied")


def test_it_schedules_a_budget_where_it_has_no_method_of_its_own(client: Client) -> None:
    group = client.first_group()["adgroup_id"]
    body = {
        "advertiser_id": client.advertiser,
        "scheduled_budget": [{"adgroup_id": group, "scheduled_budget": 55.0}],
    }
    client.raw.call_api(
        "/open_api/v1.3/adgroup/budget/update/",
        "POST",
        {},
        [],
        {"Access-Token": client.token, "Content-Type": "application/json"},
        body=body,
        response_type="InlineResponse200",
        _return_http_data_only=True,
    )
    assert client.group(group)["scheduled_budget"] == 55.0


def test_it_disables_and_enables(client: Client) -> None:
    group = client.first_group()["adgroup_id"]
    for word in ("DISABLE", "ENABLE"):
        body = official.AdgroupStatusUpdateBody(
            adgroup_ids=[group], advertiser_id=client.advertiser, operation_status=word
        )
        answer = client.groups.adgroup_status_update(client.token, body=body)
        assert answer["data"]["status"] == word
        assert client.group(group)["operation_status"] == word
    assert [row["new"] for row in client.visitor.ledger()] == ["DISABLE", "ENABLE"]


def create_tree(client: Client) -> tuple[str, str, str]:
    made = client.campaigns.campaign_create(
        client.token,
        body=official.CampaignCreateBody(
            advertiser_id=client.advertiser,
            campaign_name="Spring",
            objective_type="TRAFFIC",
            operation_status="DISABLE",
            request_id="1",
        ),
    )
    campaign = made["data"]["campaign_id"]
    made = client.groups.adgroup_create(
        client.token,
        body=official.AdgroupCreateBody(
            advertiser_id=client.advertiser,
            campaign_id=campaign,
            adgroup_name="Visitors",
            budget=25.0,
            budget_mode="BUDGET_MODE_DAY",
            pacing="PACING_MODE_SMOOTH",
            bid_type="BID_TYPE_CUSTOM",
            conversion_bid_price=3.5,
            schedule_start_time="2026-11-05 15:00:00",
            request_id="2",
            **SLOTS,
        ),
    )
    group = made["data"]["adgroup_id"]
    video = client.files.ad_video_upload(
        client.token,
        advertiser_id=client.advertiser,
        upload_type="UPLOAD_BY_URL",
        video_url="https://cdn.example/spring.mp4",
        file_name="spring.mp4",
    )
    identity = client.identities.identity_get(client.advertiser, client.token)["data"]["identity_list"][0]
    creative = official.AdcreateCreatives(
        ad_name="Spring film",
        ad_text="It is spring.",
        ad_format="SINGLE_VIDEO",
        call_to_action="SHOP_NOW",
        landing_page_url="https://alder-and-pine.example/spring",
        video_id=video["data"][0]["video_id"],
        identity_id=identity["identity_id"],
        identity_type=identity["identity_type"],
    )
    body = official.AdCreateBody(adgroup_id=group, advertiser_id=client.advertiser, creatives=[creative])
    (ad,) = client.ads.ad_create(client.token, body=body)["data"]["ad_ids"]
    return campaign, group, ad


def test_it_creates_a_campaign_an_ad_group_and_an_ad(client: Client) -> None:
    campaign, group, ad = create_tree(client)
    listed = client.campaigns.campaign_get(client.advertiser, client.token)["data"]["list"]
    made = next(each for each in listed if each["campaign_id"] == campaign)
    assert (made["objective_type"], made["operation_status"]) == ("TRAFFIC", "DISABLE")
    held = client.group(group)
    assert (held["campaign_id"], held["budget"], held["conversion_bid_price"]) == (campaign, 25.0, 3.5)
    assert (held["learning_phase"], held["operation_status"]) == ("PHASE_LEARNING", "ENABLE")
    wanted = official.FilteringAdGet(ad_ids=[ad])
    (shown,) = client.ads.ad_get(client.advertiser, client.token, filtering=wanted)["data"]["list"]
    assert (shown["adgroup_id"], shown["ad_text"], shown["ad_format"]) == (group, "It is spring.", "SINGLE_VIDEO")
    booked = [(row["object_id"], row["field"], row["new"]) for row in client.visitor.ledger()]
    assert [(booked[0]), booked[1], booked[3]] == [
        (campaign, "created", "Spring"),
        (group, "created", "Visitors"),
        (ad, "created", "Spring film"),
    ]


def test_a_created_tree_delivers_once_it_is_enabled(client: Client) -> None:
    campaign, group, _ = create_tree(client)
    body = official.CampaignStatusUpdateBody(
        campaign_ids=[campaign], advertiser_id=client.advertiser, operation_status="ENABLE"
    )
    client.campaigns.campaign_status_update(client.token, body=body)
    client.visitor.advance(5)
    rows = client.visitor.report("2026-11-05", "2026-11-05")["data"]["list"]
    spent = [Decimal(r["metrics"]["spend"]) for r in rows if r["dimensions"]["adgroup_id"] == group]
    assert sum(spent) > 0


def test_a_create_that_is_repeated_is_made_once(client: Client) -> None:
    body = official.CampaignCreateBody(
        advertiser_id=client.advertiser, campaign_name="Once", objective_type="TRAFFIC", request_id="77"
    )
    client.campaigns.campaign_create(client.token, body=body)
    with pytest.raises(TiktokSDKError) as refused:
        client.campaigns.campaign_create(client.token, body=body)
    assert code_of(refused) == 40050
    named = [c["campaign_name"] for c in client.campaigns.campaign_get(client.advertiser, client.token)["data"]["list"]]
    assert named.count("Once") == 1


def test_it_exchanges_an_auth_code_and_uses_the_token(client: Client) -> None:
    who = client.visitor.who["tiktok"]
    asked = {"app_id": who["app_id"], "redirect_uri": "https://bursar.example/back", "state": "s1"}
    consent = client.visitor.send("GET", "/portal/auth", params={**asked, "tenant": "0", "allow": "1"})
    told = parse_qs(urlsplit(consent.headers["Location"]).query)
    body = official.Oauth2AccessTokenBody(
        app_id=who["app_id"], secret=who["app_secret"], auth_code=told["auth_code"][0]
    )
    granted = client.login.oauth2_access_token(body=body)["data"]
    assert granted["advertiser_ids"] == [client.advertiser]
    token = granted["access_token"]
    owned = client.login.oauth2_advertiser_get(who["app_id"], who["app_secret"], token)["data"]["list"]
    assert [each["advertiser_id"] for each in owned] == [client.advertiser]
    (facts,) = client.accounts.advertiser_info([client.advertiser], token)["data"]["list"]
    assert facts["currency"] == "USD"
    with pytest.raises(TiktokSDKError) as refused:
        client.login.oauth2_access_token(body=body)
    assert code_of(refused) == 40110


def test_it_raises_its_own_exception_with_our_code(client: Client) -> None:
    group = client.first_group()["adgroup_id"]
    low = official.AdgroupUpdateBody(adgroup_id=group, advertiser_id=client.advertiser, budget=1.0)
    missing = official.AdgroupUpdateBody(adgroup_id="12", advertiser_id=client.advertiser, budget=50.0)
    cases: list[tuple[Callable[[], Any], int]] = [
        (lambda: client.groups.adgroup_update(client.token, body=low), 40002),
        (lambda: client.groups.adgroup_update(client.token, body=missing), 40007),
        (lambda: client.campaigns.campaign_get(client.advertiser, "wrong"), 40105),
        (lambda: client.campaigns.campaign_get("7300000000000000002", client.token), 40001),
        (lambda: client.campaigns.campaign_get(client.advertiser, client.token, page_size=1001), 40002),
    ]
    for call, code in cases:
        with pytest.raises(TiktokSDKError) as refused:
            call()
        assert code_of(refused) == code


def test_a_partial_success_is_an_error_to_the_client_and_an_error_list_on_the_wire(client: Client) -> None:
    group = client.first_group()["adgroup_id"]
    body = official.AdgroupStatusUpdateBody(
        adgroup_ids=[group, "12"],
        advertiser_id=client.advertiser,
        operation_status="DISABLE",
        allow_partial_success=True,
    )
    with pytest.raises(TiktokSDKError) as partly:
        client.groups.adgroup_status_update(client.token, body=body)
    assert code_of(partly) == 20001
    told = json.loads(client.raw.last_response.data)["data"]
    assert told["adgroup_ids"] == [group]
    assert [each["adgroup_id"] for each in told["error_list"]] == ["12"]
    assert client.group(group)["operation_status"] == "DISABLE"


def test_a_gateway_error_is_raised_as_an_api_exception(client: Client) -> None:
    client.visitor.control("faults", fault="html_body", platform="tiktok")
    with pytest.raises(ApiException) as raised:
        client.first_group()
    assert raised.value.status == 504


def test_it_runs_an_asynchronous_report(client: Client) -> None:
    body = official.ReportTaskCreateBody(
        advertiser_id=client.advertiser,
        report_type="BASIC",
        service_type="AUCTION",
        data_level="AUCTION_AD",
        dimensions=["ad_id", "stat_time_day"],
        metrics=["spend", "clicks"],
        start_date="2026-11-03",
        end_date="2026-11-05",
        output_format="CSV_DOWNLOAD",
    )
    task = client.reports.report_task_create(client.token, body=body)["data"]["task_id"]
    seen = [client.reports.report_task_check(task, client.advertiser, client.token)["data"]["status"] for _ in range(3)]
    assert seen == ["QUEUING", "PROCESSING", "SUCCESS"]
    where = client.visitor.tiktok("report/task/download/", task_id=task)["data"]["download_url"]
    table = client.visitor.send("GET", where).text.splitlines()
    assert table[0] == "ad_id,stat_time_day,spend,clicks"
    assert len(table) > 24


def test_it_manages_a_smart_plus_campaign(client: Client) -> None:
    made = client.campaigns.smart_plus_campaign_create(
        client.token,
        body=official.SmartPlusCampaignCreateBody(
            advertiser_id=client.advertiser,
            campaign_name="Smart",
            objective_type="WEB_CONVERSIONS",
            budget_mode="BUDGET_MODE_DYNAMIC_DAILY_BUDGET",
            budget=60.0,
            budget_optimize_on=True,
            request_id="5",
        ),
    )
    campaign = made["data"]["campaign_id"]
    made = client.groups.smart_plus_adgroup_create(
        client.token,
        body=official.SmartPlusAdgroupCreateBody(
            advertiser_id=client.advertiser,
            campaign_id=campaign,
            adgroup_name="All",
            promotion_type="WEBSITE",
            schedule_start_time="2026-11-05 15:00:00",
            targeting_spec=official.SmartPlusAdgroupCreateBodyTargetingSpec(),
            request_id="6",
            **SLOTS,
        ),
    )
    group = made["data"]["adgroup_id"]
    body = official.SmartPlusAdCreateBody(adgroup_id=group, advertiser_id=client.advertiser, ad_name="One")
    ad = client.ads.smart_plus_ad_create(client.token, body=body)["data"]["smart_plus_ad_id"]
    update = official.SmartPlusCampaignUpdateBody(advertiser_id=client.advertiser, campaign_id=campaign, budget=72.0)
    client.campaigns.smart_plus_campaign_update(client.token, body=update)
    (held,) = client.campaigns.smart_plus_campaign_get(client.advertiser, client.token)["data"]["list"]
    assert (held["campaign_id"], held["budget"], held["budget_optimize_on"]) == (campaign, 72.0, True)
    (one,) = client.ads.smart_plus_ad_get(client.advertiser, client.token)["data"]["list"]
    assert (one["smart_plus_ad_id"], one["adgroup_id"]) == (ad, group)
    assert campaign not in [
        each["campaign_id"] for each in client.campaigns.campaign_get(client.advertiser, client.token)["data"]["list"]
    ]


def test_it_manages_a_gmv_max_campaign(client: Client) -> None:
    made = client.campaigns.campaign_gmv_max_create(client.token, body=gmv_max_body(client))
    campaign = made["data"]["campaign_id"]
    update = official.GmvMaxUpdateBody(advertiser_id=client.advertiser, campaign_id=campaign, roas_bid=2.5, budget=30.0)
    client.campaigns.campaign_gmv_max_update(client.token, body=update)
    held = client.campaigns.campaign_gmv_max_info(client.advertiser, campaign, client.token)["data"]
    assert (held["roas_bid"], held["budget"]) == (2.5, 30.0)
    client.visitor.advance(6)
    report = client.reports.gmv_max_report_get(
        client.advertiser,
        [held["store_id"]],
        ["campaign_id", "stat_time_hour"],
        ["cost", "net_cost", "orders", "gross_revenue", "roi"],
        "2026-11-05",
        "2026-11-05",
        client.token,
        page_size=1000,
    )
    rows = report["data"]["list"]
    assert {row["dimensions"]["campaign_id"] for row in rows} == {campaign}
    assert sum(Decimal(row["metrics"]["cost"]) for row in rows) > 0


def gmv_max_body(client: Client) -> Any:
    (store,) = official.StoreApi(client.raw).gmv_max_store_list(client.advertiser, client.token)["data"]["store_list"]
    return official.GmvMaxCreateBody(
        advertiser_id=client.advertiser,
        campaign_name="Shop",
        store_id=store["store_id"],
        store_authorized_bc_id=store["store_authorized_bc_id"],
        shopping_ads_type="PRODUCT",
        product_specific_type="ALL",
        optimization_goal="VALUE",
        deep_bid_type="VO_MIN_ROAS",
        roas_bid=2.0,
        budget=25.0,
        schedule_type="SCHEDULE_FROM_NOW",
        schedule_start_time="2026-11-05 15:00:00",
        request_id="9",
    )
