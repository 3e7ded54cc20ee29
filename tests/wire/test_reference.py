"""The reference of the wire in the documentation."""

from __future__ import annotations

from pathlib import Path

from simclient.testing.wire_reference import reference

_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "wire.md"


def test_the_reference_is_what_the_classes_say() -> None:
    """The committed page is the generated one: run `python -m simclient.testing.wire_reference > docs/reference/wire.md`."""
    assert _PAGE.read_text(encoding="utf-8") == reference()
