"""facade.toml: every key is explained, and what cannot work is said at the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import ConfigurationError, read_facade
from gateway.facade_config import Facade

ROOT = Path(__file__).parents[2]
GOOD = 'style = "call"\nresponse = "response.xsl"\n[functions.A]\nrequest = "a.xsl"\n'


def write(folder: Path, text: str, name: str = "HIP") -> Path:
    path = folder / "facades" / name / "facade.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def test_every_key_is_explained():
    explained = (ROOT / "docs" / "facades.md").read_text("utf-8")
    assert [
        key for key in Facade.model_fields if key not in ("name", "folder", "files") and f"`{key}`" not in explained
    ] == []


def test_the_folder_names_the_facade(tmp_path: Path):
    assert read_facade(write(tmp_path, GOOD)).name == "HIP"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('colour = "red"', "colour"),
        ('addresses = ["10.0.0.0/8"]', "addresses need client"),
        ('password = "string(/*/P)"', "password needs username or client"),
        ('username = "string(/*/U)"', "username needs password"),
        ('function = "string(/*"', "is no XPath"),
        ('operations = ["A"]', "operations belongs to the styles"),
        ('name = "X"', "name, folder and files are no keys"),
    ],
)
def test_what_cannot_work_is_said_with_its_file(tmp_path: Path, line: str, told: str):
    path = write(tmp_path, f"{line}\n{GOOD}")
    with pytest.raises(ConfigurationError) as problem:
        read_facade(path)
    assert told in str(problem.value)
    assert str(path) in str(problem.value)


def test_a_name_that_could_not_stand_in_an_address_is_refused(tmp_path: Path):
    with pytest.raises(ConfigurationError):
        read_facade(write(tmp_path, GOOD, "a b"))
