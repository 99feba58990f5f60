"""Where ad accounts and stores are connected; the callback's address stands in the platforms' app settings."""

from __future__ import annotations

from django.urls import path

from connectors import choice_views, ending_views, views
from connectors.pages import page

app_name = "connect"

urlpatterns = [
    path("again/<uuid:pk>/", page(views.again), name="again"),
    path("choose/<uuid:pk>/", page(choice_views.choose), name="choose"),
    path("disconnect/account/<uuid:pk>/", page(ending_views.disconnect_account), name="disconnect_account"),
    path("disconnect/store/<uuid:pk>/", page(ending_views.disconnect_store), name="disconnect_store"),
    path("disconnect/login/<uuid:pk>/", page(ending_views.disconnect_credential), name="disconnect_credential"),
    path("shopify/token/", page(views.token), name="token"),
    path("<slug:platform>/", page(views.start), name="start"),
    path("<slug:platform>/callback/", views.callback, name="callback"),
]
