"""Who gets it: conditions become SQL, segments follow, sizes are known before anything is sent.

An audience is always a set of known contacts. This room asks and remembers who is in one; it never starts a campaign,
never sends, and never decides whether a person may be written to (``messaging`` does). Start reading in ``rule`` and
``conditions``, then ``compiler``; membership that follows is in ``following`` and ``building``.
"""

from crm_plugin.audience.alike_lists import build_look_alike, create_look_alike
from crm_plugin.audience.building import build
from crm_plugin.audience.clearing import clear_archived
from crm_plugin.audience.compiler import Query, compile, count, matching
from crm_plugin.audience.conditions.activities import Price, What
from crm_plugin.audience.copying import copy_of
from crm_plugin.audience.edges import edges
from crm_plugin.audience.explaining import Explanation, describe, describe_all, explain
from crm_plugin.audience.exporting import csv_of, export_rows, note_export, start_export, start_person_export
from crm_plugin.audience.following import follow, watched_kinds
from crm_plugin.audience.forgetting import forget_past
from crm_plugin.audience.importing import import_step, start_import
from crm_plugin.audience.insights import (
    BoughtAlso,
    OtherProduct,
    People,
    WantedProduct,
    also_bought,
    bought_also,
    carted_not_bought,
    products_carted_not_bought,
    products_viewed_not_bought,
    viewed_not_bought,
)
from crm_plugin.audience.interests import top_interests
from crm_plugin.audience.labels import LABEL_NAMES, STAGE_NAMES, Label
from crm_plugin.audience.lag import lag
from crm_plugin.audience.links import claim_export, export_link, finish_export, read_export_link
from crm_plugin.audience.listfile import MAX_IMPORT_BYTES
from crm_plugin.audience.lists import add_members, remove_members
from crm_plugin.audience.lookalike import look_alike
from crm_plugin.audience.models import (
    Export,
    ImportState,
    ListImport,
    Member,
    Score,
    Segment,
    SegmentKind,
    SegmentState,
    Stage,
)
from crm_plugin.audience.ownership import absorb, forget
from crm_plugin.audience.preview import Preview, cancel, preview
from crm_plugin.audience.product_lists import ProductQuestion, cards_of, product_rows, start_product_export
from crm_plugin.audience.rule import AudienceRule
from crm_plugin.audience.scoring import rescore
from crm_plugin.audience.segments import (
    archive_segment,
    create_segment,
    members,
    restore_segment,
    segments,
    segments_of,
    update_segment,
)
from crm_plugin.audience.selectors import exports, imports, scores_of
from crm_plugin.audience.sweeping import sweep

__all__ = [
    "LABEL_NAMES",
    "MAX_IMPORT_BYTES",
    "STAGE_NAMES",
    "AudienceRule",
    "BoughtAlso",
    "Explanation",
    "Export",
    "ImportState",
    "Label",
    "ListImport",
    "Member",
    "OtherProduct",
    "People",
    "Preview",
    "Price",
    "ProductQuestion",
    "Query",
    "Score",
    "Segment",
    "SegmentKind",
    "SegmentState",
    "Stage",
    "WantedProduct",
    "What",
    "absorb",
    "add_members",
    "also_bought",
    "archive_segment",
    "bought_also",
    "build",
    "build_look_alike",
    "cancel",
    "cards_of",
    "carted_not_bought",
    "claim_export",
    "clear_archived",
    "compile",
    "copy_of",
    "count",
    "create_look_alike",
    "create_segment",
    "csv_of",
    "describe",
    "describe_all",
    "edges",
    "explain",
    "export_link",
    "export_rows",
    "exports",
    "finish_export",
    "follow",
    "forget",
    "forget_past",
    "import_step",
    "imports",
    "lag",
    "look_alike",
    "matching",
    "members",
    "note_export",
    "preview",
    "product_rows",
    "products_carted_not_bought",
    "products_viewed_not_bought",
    "read_export_link",
    "remove_members",
    "rescore",
    "restore_segment",
    "scores_of",
    "segments",
    "segments_of",
    "start_export",
    "start_import",
    "start_person_export",
    "start_product_export",
    "sweep",
    "top_interests",
    "update_segment",
    "viewed_not_bought",
    "watched_kinds",
]
