"""What an Oscar shop mounts at ``crm/``: the public endpoints and, because Oscar has no GraphQL, the CRM's own."""

from __future__ import annotations

from django.urls import include, path

from crm_plugin.graphql.view import graphql_view

urlpatterns = [
    path("graphql/", graphql_view, name="crm-graphql"),
    path("", include("crm_plugin.http.urls")),
]
