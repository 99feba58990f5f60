"""The pages of what platforms push and ask for, and the first page of somebody who has connected nothing."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from accounts.scoping import all_tenants
from connectors.admin import TOPIC_NAMES
from connectors.models import Delivery, PrivacyRequest
from connectors.webhooks import TIKTOK_SHOP_TOPICS
from tests.admin.conftest import As
from tests.factories import AS_OF, House


@pytest.fixture
def asked(house: House) -> PrivacyRequest:
    with all_tenants():
        row: PrivacyRequest = PrivacyRequest.objects.create(
            tenant=house.tenant, kind="export", shop="s.myshopify.com", due_at=AS_OF, export={"orders": ["1"]}
        )
    return row


def test_the_numbers_of_tiktok_shops_news_are_named(house: House, log_in: As) -> None:
    assert set(TOPIC_NAMES) == set(TIKTOK_SHOP_TOPICS)
    with all_tenants():
        for topic in ("6", "orders/create"):
            Delivery.objects.create(
                tenant=house.tenant, store=house.store, topic=topic, webhook_id=topic, body_sha256=topic
            )
    page = log_in(house.viewer).get(reverse("admin:connectors_delivery_changelist")).content.decode()
    assert "Access withdrawn (6)" in page and "orders/create" in page


def test_an_export_is_offered_and_given_to_owners_only(house: House, log_in: As, asked: PrivacyRequest) -> None:
    export = reverse("admin:connectors_privacyrequest_export", args=[asked.pk])
    change = reverse("admin:connectors_privacyrequest_change", args=[asked.pk])
    owner, viewer = log_in(house.owner), log_in(house.viewer)
    assert export in owner.get(change).content.decode()
    response = owner.get(export)
    assert json.loads(response.content) == {"orders": ["1"]} and "attachment" in response["Content-Disposition"]
    page = viewer.get(change)
    assert page.status_code == 200 and export not in page.content.decode()
    assert viewer.get(export).status_code == 403


def test_an_empty_overview_leads_to_the_four_connect_buttons(house: House, log_in: As) -> None:
    starts = [reverse("connect:start", args=[name]) for name in ("meta", "tiktok", "shopify", "tiktok_shop")]
    page = log_in(house.owner).get(reverse("admin:index")).content.decode()
    assert "No hour has been read yet" in page and all(f'href="{start}"' in page for start in starts)
    assert not any(f'href="{start}"' in log_in(house.viewer).get("/admin/").content.decode() for start in starts)


def test_an_empty_list_offers_to_reset_filters_only_where_some_are_set(house: House, log_in: As) -> None:
    viewer, url = log_in(house.viewer), reverse("admin:connectors_delivery_changelist")
    assert "Reset filters" not in viewer.get(url).content.decode()
    assert "Reset filters" in viewer.get(url, {"q": "nothing"}).content.decode()
