"""The page about the format of bundles has the fields that the records have."""

from __future__ import annotations

import re

import attrs
import pytest

from simclient.local.bundle.format import BundleEnd
from simclient.local.bundle.values import BundleAccount, BundleHeader, BundleSlot

from .running import ROOT

PAGE = (ROOT / "docs" / "reference" / "bundle-format.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("title", "record"),
    [("1: header", BundleHeader), ("2: account", BundleAccount), ("3: slot", BundleSlot), ("4: end", BundleEnd)],
)
def test_the_table_of_a_record_has_its_fields(title: str, record: type) -> None:
    """All of them, and no others."""
    section = PAGE.split(f"### {title}\n", 1)[1].split("\n#", 1)[0]
    table = re.search(r"^\| field \|.*?(?=\n\n|\Z)", section, re.MULTILINE | re.DOTALL)
    assert table is not None
    rows = [line.split("|")[1] for line in table[0].splitlines()[2:]]
    names = [name for row in rows for name in re.findall(r"`(\w+)`", row)]

    assert names == [field.name for field in attrs.fields(record)]
