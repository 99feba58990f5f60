"""The partner API's addresses, and the views about the installation itself."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.urls import path, re_path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import AdSetDetail, AdSets, CampaignDetail, Campaigns
from accounts.api_views import ApiView
from automation.api import ActionDetail, Actions, KillSwitchOfTenant
from config import api_schema, health
from metrics import marketplace_api
from metrics.api import HoursOfStore, OverviewOfTenant, Stores

__all__ = ["api_schema", "urlpatterns"]

TAGS = ["Service"]


class OpenView(ApiView):
    """A view that needs no key."""

    authentication_classes = []
    permission_classes = []
    throttle_classes = []


class HealthView(serializers.Serializer):
    status = serializers.ChoiceField(["alive"])

    class Meta:
        ref_name = "Health"


class Health(OpenView):
    @extend_schema(operation_id="health_retrieve", tags=TAGS, responses=HealthView)
    def get(self, request: Request) -> Response:
        """The process answers; nothing else is asked."""
        return Response({"status": "alive"})


class ReadinessView(serializers.Serializer):
    is_ready = serializers.BooleanField()
    problems = serializers.DictField(
        child=serializers.CharField(), help_text="Each check with its problem, empty when there is none."
    )

    class Meta:
        ref_name = "Readiness"


class Ready(OpenView):
    @extend_schema(operation_id="readiness_retrieve", tags=TAGS, responses={200: ReadinessView, 503: ReadinessView})
    def get(self, request: Request) -> Response:
        """Database, cache, migrations and queue; 503 when any of them is not as it should be."""
        found = health.problems()
        is_ready = not any(found.values())
        return Response({"is_ready": is_ready, "problems": found}, 200 if is_ready else 503)


class PlainYaml(OpenApiYamlRenderer):
    media_type = "application/yaml"


class Schema(OpenView):
    renderer_classes = [OpenApiYamlRenderer, PlainYaml, OpenApiJsonRenderer, JSONRenderer]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        """This API in OpenAPI 3.1, as YAML or JSON by the Accept header."""
        return Response(openapi())


class Nowhere(OpenView):
    """Whatever else is asked for: a problem in JSON, also where DEBUG would show a page."""

    @extend_schema(exclude=True)
    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound("there is nothing at this address")


@cache
def openapi() -> dict[str, Any]:
    schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return schema


urlpatterns = [
    path("health", Health.as_view()),
    path("ready", Ready.as_view()),
    path("schema", Schema.as_view()),
    path("overview", OverviewOfTenant.as_view()),
    path("stores", Stores.as_view()),
    path("stores/<str:id>/hours", HoursOfStore.as_view()),
    *(path(route, view.as_view()) for route, view in marketplace_api.urls),
    path("campaigns", Campaigns.as_view()),
    path("campaigns/<str:id>", CampaignDetail.as_view()),
    path("ad-sets", AdSets.as_view()),
    path("ad-sets/<str:id>", AdSetDetail.as_view()),
    path("actions", Actions.as_view()),
    path("actions/<str:id>", ActionDetail.as_view()),
    path("kill-switch", KillSwitchOfTenant.as_view()),
    re_path("", Nowhere.as_view()),
]
