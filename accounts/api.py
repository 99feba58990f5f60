"""The partner API over the ad tree: campaigns and ad sets."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api_fields import AD_ACCOUNT, AD_SET, CAMPAIGN, IdField, MoneyField, StrictSerializer, TimeField
from accounts.api_views import PAGE_PARAMETERS, PartnerView, one_of, page, page_of, path_id, read_query
from accounts.models import AdSet, Campaign, RolloutStage, Status

TAGS = ["Ad tree"]


class AdAccountSummary(serializers.Serializer):
    id = IdField(AD_ACCOUNT, source="pk", read_only=True)
    platform = serializers.CharField()
    name = serializers.CharField()
    currency = serializers.CharField()
    timezone = serializers.CharField()
    rollout_stage = serializers.ChoiceField(RolloutStage.choices)


class Node(serializers.Serializer):
    """What campaigns and ad sets share. A budget that is null stands elsewhere, or is of the other kind."""

    external_id = serializers.CharField(help_text="The platform's own id.")
    name = serializers.CharField()
    status = serializers.ChoiceField(Status.choices)
    effective_status = serializers.CharField(help_text="The platform's own text.")
    daily_budget = MoneyField("daily_budget_micros", "ad_account.currency")
    lifetime_budget = MoneyField("lifetime_budget_micros", "ad_account.currency")
    ad_account = AdAccountSummary()
    seen_at = TimeField(help_text="When a sync last saw it on the platform.")
    created_at = TimeField()


class CampaignView(Node):
    id = IdField(CAMPAIGN, source="pk", read_only=True)
    objective = serializers.CharField()

    class Meta:
        ref_name = "Campaign"


class AdSetView(Node):
    id = IdField(AD_SET, source="pk", read_only=True)
    campaign = IdField(CAMPAIGN, source="campaign_id", read_only=True)
    in_learning = serializers.BooleanField(allow_null=True)

    class Meta:
        ref_name = "AdSet"


class CampaignQuery(StrictSerializer):
    status = serializers.ChoiceField(Status.choices, required=False)


class AdSetQuery(StrictSerializer):
    status = serializers.ChoiceField(Status.choices, required=False)
    campaign = IdField(CAMPAIGN, required=False)


def campaigns() -> QuerySet[Campaign]:
    rows: QuerySet[Campaign] = Campaign.objects.select_related("ad_account")
    return rows


def ad_sets() -> QuerySet[AdSet]:
    rows: QuerySet[AdSet] = AdSet.objects.select_related("ad_account")
    return rows


class Campaigns(PartnerView):
    @extend_schema(
        operation_id="campaigns_list",
        tags=TAGS,
        parameters=[CampaignQuery, *PAGE_PARAMETERS],
        responses=page_of(CampaignView),
    )
    def get(self, request: Request) -> Response:
        """Campaigns, newest first."""
        wanted = read_query(request, CampaignQuery, "cursor", "limit")
        return page(request, campaigns().filter(**wanted), CampaignView)


class CampaignDetail(PartnerView):
    @extend_schema(
        operation_id="campaigns_retrieve", tags=TAGS, parameters=[path_id("id", CAMPAIGN)], responses=CampaignView
    )
    def get(self, request: Request, id: str) -> Response:
        """One campaign."""
        return Response(CampaignView(one_of(campaigns(), CAMPAIGN, id)).data)


class AdSets(PartnerView):
    @extend_schema(
        operation_id="ad_sets_list",
        tags=TAGS,
        parameters=[AdSetQuery, *PAGE_PARAMETERS],
        responses=page_of(AdSetView),
    )
    def get(self, request: Request) -> Response:
        """Ad sets, newest first; TikTok's ad groups are ad sets here."""
        wanted = read_query(request, AdSetQuery, "cursor", "limit")
        if "campaign" in wanted:
            one_of(campaigns(), CAMPAIGN, request.query_params["campaign"])
        return page(request, ad_sets().filter(**wanted), AdSetView)


class AdSetDetail(PartnerView):
    @extend_schema(operation_id="ad_sets_retrieve", tags=TAGS, parameters=[path_id("id", AD_SET)], responses=AdSetView)
    def get(self, request: Request, id: str) -> Response:
        """One ad set."""
        return Response(AdSetView(one_of(ad_sets(), AD_SET, id)).data)
