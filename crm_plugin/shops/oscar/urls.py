"""What an Oscar shop mounts at ``crm/``: the public endpoints and, because Oscar has no GraphQL, the CRM's own."""

from __future__ import annotations

from django.urls import include, path

from crm_plugin.graphql.view import graphql_view
from crm_plugin.shops.oscar import recovery

urlpatterns = [
    path("graphql/", graphql_view, name="crm-graphql"),
    path("cart/<str:token>/", recovery.recover, name="crm-cart"),
    path("", include("crm_plugin.http.urls")),
]
