"""Imports: a CSV file on its way into a static list."""

from __future__ import annotations

import binascii
import zlib
from base64 import b64decode
from typing import Any, Self

import graphene

from crm_plugin import audience
from crm_plugin.audience import MAX_IMPORT_BYTES, ImportState, ListImport
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.arguments import row_key
from crm_plugin.graphql.enums import CrmEnum
from crm_plugin.graphql.loaders import beside
from crm_plugin.graphql.mutation import CrmMutation, result
from crm_plugin.graphql.pagination import Page, list_field, page_of_rows
from crm_plugin.graphql.rows import Row, row_field, row_id
from crm_plugin.graphql.scalars import DateTime
from crm_plugin.graphql.segments import CrmSegment
from crm_plugin.shop import Actor

_GZIP = b"\x1f\x8b"


class CrmImportState(CrmEnum):
    """Where an import stands."""

    class Meta:
        enum = ImportState
        words = {
            ImportState.WAITING: "A worker has not begun yet.",
            ImportState.RUNNING: "Lines are being read.",
            ImportState.DONE: "Every line was read; some may be refused.",
            ImportState.FAILED: "The file as a whole could not be read; `errors` says why.",
        }


class CrmImportError(graphene.ObjectType):
    """A line that was refused."""

    line = graphene.Int(required=True, description="As a text editor counts; the header is line 1.")
    message = graphene.String(required=True, description="What is wrong with the line.")


def _errors(found: ListImport, _info: Any) -> list[CrmImportError]:
    return [CrmImportError(line=error["line"], message=error["message"]) for error in found.errors]


class CrmListImport(Row):
    """A CSV file on its way into a static list."""

    segment = graphene.Field(
        CrmSegment, required=True, resolver=beside("segment", "segment_id"), description="The static list."
    )
    is_dry_run = graphene.Boolean(required=True, description="Everything is looked at, nothing is written.")
    state = CrmImportState(required=True, description="How far it is.")
    lines_count = graphene.Int(required=True, description="Lines of people in the file …")
    done_count = graphene.Int(required=True, description="… of these so many are done …")
    added_count = graphene.Int(required=True, description="… so many were put in (in a dry run: would be) …")
    refused_count = graphene.Int(required=True, description="… and so many were refused.")
    errors = graphene.List(
        graphene.NonNull(CrmImportError), required=True, resolver=_errors, description="The first 1000 refused lines."
    )
    created_at = DateTime(required=True, description="When the file was taken in.")
    finished_at = DateTime(description="Null: not over yet.")


class CrmListImportConnection(Page, node=CrmListImport):
    """A page of imports, newest first."""


@admits(Caller.VIEWER)
def _imports(_actor: Actor, _info: Any, *, segment: str | None = None, **page: Any) -> Any:
    rows = audience.imports()
    if segment is not None:
        rows = rows.filter(segment_id=row_key("CrmSegment", segment, field="segment"))
    return page_of_rows(CrmListImportConnection, rows, **page)


class ImportQueries(graphene.ObjectType):
    """Root fields that read imports."""

    crm_list_imports = list_field(
        CrmListImportConnection,
        description="Imports, newest first. Requires view_crm.",
        resolver=_imports,
        segment=graphene.ID(description="Only those into this CrmSegment."),
    )
    crm_list_import = row_field(
        CrmListImport,
        audience.imports,
        description="One import, with how far it is; null when there is none with this id. Requires view_crm.",
    )


class CrmListImportCreate(CrmMutation, caller=Caller.MANAGER):
    """Put the people of a CSV file into a static list, in the background. Requires manage_crm."""

    list_import = result(CrmListImport)

    class Arguments:
        segment = row_id("CrmSegment")
        content = graphene.String(
            required=True, description="The file in base64, plain or gzipped; at most 10 MB when unpacked."
        )
        dry_run = graphene.Boolean(description="Look at every line, write nothing.")

    @classmethod
    def perform(cls, _actor: Actor, *, segment: str, content: str, dry_run: bool = False) -> Self:
        """Take the file in; the pipeline does it in batches of lines."""
        pk = row_key("CrmSegment", segment, field="segment")
        return cls(list_import=audience.start_import(pk, _unpacked(content), is_dry_run=bool(dry_run)))


def _unpacked(content: str) -> bytes:
    try:
        found = b64decode("".join(content.split()), validate=True)
        if found.startswith(_GZIP):
            found = _gunzipped(found)
    except (binascii.Error, ValueError, zlib.error):
        raise InvalidInput("The content is not base64 of a file, plain or gzipped.", field="content") from None
    return found


def _gunzipped(packed: bytes) -> bytes:
    """Unpack no more than shows that the file is too large: a bomb of zeros stops there."""
    unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    found = unpack.decompress(packed, MAX_IMPORT_BYTES + 1)
    if len(found) <= MAX_IMPORT_BYTES and not unpack.eof:
        raise ValueError("cut off")
    return found


class ImportMutations(graphene.ObjectType):
    """Root fields that start imports."""

    crm_list_import_create = CrmListImportCreate.Field()
