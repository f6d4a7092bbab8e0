"""What is written about the gateway can be followed: every cited file, section and link is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/**/*.md"))]
SOURCES = [
    path
    for folder in ("gateway/**/*.py", "tests/**/*.py", "deploy/*")
    for path in sorted(ROOT.glob(folder))
    if "node_modules" not in path.parts
]
CITED = re.compile(r'(docs/[\w./-]*\w)(?:,\s+"([^"\n]+)")?')
WRITTEN_FILE = re.compile(r"^```\w+ [^\n]+\n.*?^```$", re.MULTILINE | re.DOTALL)
"""A file of somebody's site that a page shows; what it names is not ours."""
OURS = re.compile(r"(?<![\w/.$-])((?:gateway|docs|deploy|tests|benchmarks|wsdl|xsd)/[\w./-]*\.\w+)")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^(?:#+ (.+)|- \*\*(.+?)[.,]?\*\*)", re.MULTILINE)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def headings(page: Path) -> set[str]:
    return {one or other for one, other in HEADING.findall(page.read_text(encoding="utf-8"))}


def anchors(page: Path) -> set[str]:
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings(page)}


@pytest.mark.parametrize("source", SOURCES, ids=named)
def test_every_document_and_section_the_program_cites_exists(source):
    for path, section in CITED.findall(source.read_text(encoding="utf-8")):
        assert (ROOT / path).exists(), path
        if section:
            assert section in headings(ROOT / path), f"{path} has no section {section}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_of_a_page_leads_somewhere(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_file_of_ours_a_page_names_exists(page):
    for path in OURS.findall(WRITTEN_FILE.sub("", page.read_text(encoding="utf-8"))):
        assert (ROOT / path).exists(), path


def test_the_first_page_leads_to_every_page_of_the_documentation():
    linked = {(ROOT / link).resolve() for link in LINK.findall((ROOT / "README.md").read_text(encoding="utf-8"))}
    assert [named(page) for page in PAGES[1:] if page.resolve() not in linked] == []
