"""The pictures of the documentation are what the code makes of the committed results."""

import importlib.util
import re
from html import unescape
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def make_images():
    spec = importlib.util.spec_from_file_location("make_images", DOCS / "make_images.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text_of(svg):
    return [unescape(text).rstrip("\xa0") for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg.read_text())]


def test_every_picture_is_made_by_the_script(make_images):
    assert {path.name for path in (DOCS / "img").iterdir()} == set(make_images.IMAGES)


def test_the_picture_of_the_live_view_is_up_to_date(make_images, tmp_path):
    make_images.IMAGES["train.svg"](tmp_path)
    assert text_of(tmp_path / "train.svg") == text_of(DOCS / "img" / "train.svg")
    assert "http" not in re.sub(r'xmlns="[^"]*"|<!--.*?-->', "", (tmp_path / "train.svg").read_text())
