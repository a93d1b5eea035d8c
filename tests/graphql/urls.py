"""The CRM's own endpoint, where a shop without GraphQL mounts it."""

from __future__ import annotations

from django.urls import path

from crm_plugin.graphql.view import graphql_view

urlpatterns = [path("crm/graphql/", graphql_view)]
