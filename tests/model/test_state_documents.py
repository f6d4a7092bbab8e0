"""The documentation of the state machines is what the program decides by."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from gateway.model.state_diagram import State, Way, draw
from gateway.model.state_documents import FOLDER, documents

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", documents())
def test_the_documentation_is_drawn_from_the_tables_of_the_program(name: str) -> None:
    assert FOLDER == ROOT / "docs" / "specification"
    written = (FOLDER / name).read_text(encoding="utf-8")
    assert written == documents()[name], "write it again: python -m gateway.model.state_documents"


@pytest.mark.parametrize("name", [name for name in documents() if name.endswith(".svg")])
def test_no_label_of_a_picture_stands_on_another(name: str) -> None:
    tree = ElementTree.fromstring(documents()[name])
    labels = [text for text in tree.iter("{http://www.w3.org/2000/svg}text") if text.get("text-anchor") != "middle"]
    places = [(text.get("x"), text.get("y")) for text in labels]
    assert len(places) == len(set(places)) > 3


def test_a_way_back_is_drawn_on_the_other_side() -> None:
    states = [State("", "OPEN", "开"), State("", "SHUT", "关", is_final=True)]
    picture = draw("door", states, [Way(0, 1, "shut"), Way(1, 0, "open")])
    assert picture.count("url(#forward)") == picture.count("url(#back)") == 1
