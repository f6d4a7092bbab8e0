"""The shape of the house: who may know whom. A part knows those in its list and nobody else."""

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent / "gateway"

EVERYONE = {"errors", "terms"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "terms": set(),
    "strict": set(),
    "critical_rules": {"strict"},
    "file_secret": set(),
    "maintenance_hours": set(),
    "partner_security": {"strict"},
    "database_config": {"strict"},
    "partner_config": {"database_config", "maintenance_hours", "partner_security", "strict"},
    "facade_config": {"strict"},
    "config": {"critical_rules", "facade_config", "file_secret", "hl7_config", "partner_config", "strict"},
    "hl7_config": {"facade_config", "strict"},
    "contract": set(),
    "messages": {"contract"},
    "documents": {"contract"},
    "model": set(),
    "store": {"model"},
    "database": set(),
    "monitoring": set(),
    "figures": {"delivery", "model", "monitoring"},
    "masking": set(),
    "identity": set(),
    "hl7": set(),
    "mapping": {"contract", "hl7", "identity"},
    "styles": {"mapping"},
    "sheets": set(),
    "codes": {"mapping", "model", "sheets"},
    "security": {"model"},
    "operations": {"config", "contract", "critical_rules", "identity", "masking", "messages", "model", "store"},
    "soap": {"contract", "documents", "messages", "model", "monitoring", "operations", "security"},
    "partners": {
        "codes", "contract", "database_config", "file_secret", "hl7", "mapping", "messages", "model", "operations",
        "partner_config", "partner_security", "soap", "styles",
    },
    "facades": {
        "codes", "contract", "facade_config", "hl7", "hl7_config", "mapping", "messages", "model", "monitoring",
        "operations", "security", "soap", "styles",
    },
    "nodes": {"config", "model", "security", "store"},
    "notifiers": {"critical_rules", "model", "partners"},
    "delivery": {
        "codes", "config", "contract", "database", "maintenance_hours", "mapping", "messages", "model", "operations",
        "partner_config", "partners", "store",
    },
    "polling": {
        "database", "database_config", "facades", "mapping", "model", "operations", "partner_config", "partners",
        "store",
    },
    "reconciliation": {"config", "messages", "model", "operations", "partners", "sheets", "store"},
    "web": set(),
    "migrate": {"database", "model"},
    "migrations": {"delivery", "migrate", "model"},
    "storage": {"config", "model", "operations", "store"},
    "site": {"config", "database", "migrate", "model", "operations", "store"},
    "logs": set(),
    "supervision": set(),
    "serving": {
        "config", "contract", "database", "migrate", "monitoring", "nodes", "security", "storage", "supervision",
    },
    "bootstrap": {
        "codes", "config", "contract", "database", "delivery", "documents", "facades", "figures", "hl7", "hl7_config",
        "logs", "mapping", "messages", "migrate", "model", "monitoring", "nodes", "notifiers", "operations",
        "partners", "polling", "reconciliation", "security", "site", "soap", "storage", "store", "web",
    },
    "acceptance": {"contract", "messages", "operations", "partner_config", "partners"},
    "simulators": {"config", "contract", "documents", "mapping", "messages", "soap", "styles"},
    "demo": {
        "config", "contract", "database", "documents", "logs", "messages", "migrate", "model", "security", "serving",
        "simulators", "site",
    },
    "cli": {
        "acceptance", "bootstrap", "codes", "config", "contract", "database", "database_config", "delivery", "demo",
        "facade_config", "facades", "hl7", "logs", "mapping", "messages", "migrate", "model", "nodes", "operations",
        "partner_config", "partner_security", "partners", "polling", "reconciliation", "security", "serving", "sheets",
        "simulators", "site", "soap", "storage", "supervision",
    },
    "__main__": {"cli"},
}  # fmt: skip
"""Part -> the parts it may import, beside EVERYONE. The order of the list is the order of the house, from below."""

CONFINED = {
    "alembic": {"migrate", "migrations"},
    "gunicorn": {"web", "logs"},
    "hl7": {"hl7"},
    "openpyxl": {"reconciliation", "sheets"},
    "procrastinate": {"delivery"},
    "prometheus_client": {"monitoring"},
    "pydantic_settings": {"config"},
    "requests": {"partners", "demo"},
    "spyne": {"soap"},
    "structlog": {"logs"},
    "typer": {"cli"},
    "waitress": {"simulators"},
    "xmlschema": {"cli"},
    "zeep": {"partners", "demo"},
}
"""Library -> the only parts that may import it, so that it can be replaced."""

SPYNE_FREE = {
    "control_characters", "conversion", "decoding", "envelope", "expectations", "explain", "front", "mending", "places",
    "references", "repairs",
}  # fmt: skip
"""Modules of gateway/soap/ that partners, simulators and commands use; what reads envelopes needs no Spyne."""


@cache
def modules() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Each module's name, its part of the house, and what it imports anywhere, inside functions too."""
    found = []
    for path in sorted(HOUSE.rglob("*.py")):
        words = path.relative_to(HOUSE).with_suffix("").parts
        if words != ("__init__",):
            name = ".".join(("gateway", *words)).removesuffix(".__init__")
            found.append((name, words[0], tuple(imported(ast.parse(path.read_text("utf-8"))))))
    return tuple(found)


def imported(code: ast.Module) -> Iterator[str]:
    for node in ast.walk(code):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full here"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def part_of(name: str) -> str | None:
    """The part of the house a module belongs to; None if it is none of ours."""
    words = name.split(".")
    return words[1] if words[0] == "gateway" and len(words) > 1 else None


def test_nobody_knows_whom_it_must_not_know():
    wrong = [
        f"{module} imports {name}"
        for module, part, names in modules()
        for name in names
        if (other := part_of(name)) is not None and other not in {part, *ALLOWED[part], *EVERYONE}
    ]
    assert wrong == []


def test_every_part_of_the_house_has_its_place_in_the_list():
    assert {part for _, part, _ in modules()} <= set(ALLOWED)
    assert set().union(*ALLOWED.values()) <= set(ALLOWED)


def test_imports_go_one_way():
    order = list(TopologicalSorter(ALLOWED).static_order())
    assert set(order) == set(ALLOWED)


@pytest.mark.parametrize("library", CONFINED)
def test_a_library_stays_where_it_can_be_replaced(library: str):
    wrong = [
        f"{module} imports {name}"
        for module, part, names in modules()
        for name in names
        if name.split(".")[0] == library and part not in CONFINED[library]
    ]
    assert wrong == []


def test_partners_and_simulators_use_no_part_of_the_soap_side_that_needs_spyne():
    wrong = [
        f"{module} imports {name}"
        for module, part, names in modules()
        for name in names
        if part in ("partners", "simulators", "cli")
        and part_of(name) == "soap"
        and name.split(".")[2] not in SPYNE_FREE
    ]
    assert wrong == []


def test_the_settings_are_read_where_processes_begin():
    """Everybody else is given what it needs: nothing is created or read at import."""
    wrong = [
        module
        for module, part, names in modules()
        for name in names
        if name == "gateway.config.load_settings" and part not in ("cli", "demo")
    ]
    assert wrong == []


def test_no_two_modules_of_tests_have_the_same_name():
    """pytest would collect only one of them."""
    names = Counter(path.name for path in Path(__file__).parent.rglob("test_*.py"))
    assert [name for name, many in names.items() if many > 1] == []
