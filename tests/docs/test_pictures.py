"""The pictures of the documentation show what the commands show."""

from __future__ import annotations

import html
import re
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

from .running import ROOT

PICTURE = ROOT / "docs" / "pictures" / "run.svg"


def script() -> ModuleType:
    spec = spec_from_file_location("pictures", ROOT / "docs" / "pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def results(picture: str) -> str:
    """Return the words of a picture, from where they are always the same."""
    words = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", picture)).split())
    return words[words.index("compared with the recording") :]


def test_the_terminal_is_what_the_command_prints() -> None:
    """All but what time decides; if it fails, `nox -s pictures` makes it anew."""
    assert results(script().terminal_picture(["run", "--local"])) == results(PICTURE.read_text(encoding="utf-8"))


def test_no_picture_asks_another_host_for_anything() -> None:
    """As fonts of rich's pictures would."""
    for picture in (ROOT / "docs").rglob("*.svg"):
        links = re.findall(r"(?:href|src|url\()[=\"'( ]*(https?:[^\"')]*)", picture.read_text(encoding="utf-8"))
        assert links == [], picture
