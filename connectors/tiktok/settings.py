"""What an ad group keeps beside its budget, for an update that replaces it as a whole.

The document of `/adgroup/update/` calls it a full replacement; public clients send the changed field alone and
report success. The budget is not among these: one that is sent must be at least 105 % of what is spent, even when it
is the one that is held. Names: the official SDK's AdgroupUpdateBody.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.fields import Row
from connectors.tiktok import bids

NAMES = """
    adgroup_name pacing dayparting schedule_type schedule_start_time schedule_end_time
    age_groups gender household_income languages location_ids zipcode_ids spending_power isp_ids
    carrier_ids network_types
    operating_systems min_android_version min_ios_version ios14_targeting device_model_ids device_price_ranges
    audience_ids excluded_audience_ids saved_audience_id audience_rule audience_type actions included_custom_actions
    excluded_custom_actions interest_category_ids interest_keyword_ids purchase_intention_keyword_ids contextual_tag_ids
    auto_targeting_enabled smart_audience_enabled smart_interest_behavior_enabled targeting_expansion
    shopping_ads_retargeting_type shopping_ads_retargeting_actions_days
    shopping_ads_retargeting_custom_audience_relation search_keywords search_result_enabled automated_keywords_enabled
    brand_safety_type category_exclusion_ids vertical_sensitivity_id blocked_pangle_app_ids
    included_pangle_audience_package_ids excluded_pangle_audience_package_ids exclude_age_under_eighteen
    frequency frequency_schedule deep_cpa_bid next_day_retention secondary_optimization_event
    deep_funnel_optimization_status deep_funnel_event_source deep_funnel_event_source_id deep_funnel_optimization_event
    comment_disabled share_disabled is_hfss is_lhf_compliance catalog_authorized_bc_id
"""
SETTINGS = tuple(NAMES.split())


def kept(source: Row, change: Mapping[str, Any]) -> dict[str, Any]:
    """The settings to send along with the change; a bid goes along only when it is not what changes."""
    is_bid = not change.keys().isdisjoint(bids.FIELDS)
    names = SETTINGS if is_bid else (*SETTINGS, *sorted(bids.FIELDS))
    told = {name: source.get(name) for name in names}
    return {name: _sendable(value) for name, value in told.items() if value or value is False}


def _sendable(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
