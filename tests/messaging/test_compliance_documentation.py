"""docs/compliance.md says of every rule what is done and where it is written."""

from __future__ import annotations

import re
from pathlib import Path

from crm_plugin.messaging.compliance import PACKS

DOCUMENT = Path(__file__).parents[2] / "docs" / "compliance.md"


def test_the_table_has_every_rule_of_every_pack_with_its_source() -> None:
    rows = re.findall(r"^\| ([A-Z]{2}) \| `(\w+)` \| (.+) \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)

    assert [(pack, rule, source) for pack, rule, _done, source in rows] == [
        (pack.code, rule, pack.sources[rule]) for pack in PACKS for rule in pack.rules()
    ]
