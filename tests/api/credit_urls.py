"""The partner API with the routes of shops and credit assessments."""

from __future__ import annotations

from django.urls import include, path

from config.api import urlpatterns as others
from metrics.marketplace_api import urls

routes = [*(path(route, view.as_view()) for route, view in urls), *others]
urlpatterns = [path("api/v1/", include(routes))]
