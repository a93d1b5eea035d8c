"""What other rooms may read here besides segments: scores, imports, the log of exports."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.db.models import QuerySet

from crm_plugin.audience.models import Export, ListImport, Score


def scores_of(contact_ids: Collection[int]) -> Mapping[int, Score]:
    """Return how contacts stand among all; who was not scored yet is left out."""
    return Score.objects.in_bulk(list(contact_ids))


def imports() -> QuerySet[ListImport]:
    """Return every import, for lists; their files are left where they are."""
    return ListImport.objects.defer("content")


def exports() -> QuerySet[Export]:
    """Return the log of exports, for lists."""
    return Export.objects.all()
