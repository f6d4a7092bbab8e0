"""Every numbered case has a test that says its number, here or where its subject is tested."""

import ast
import re
from pathlib import Path

CASES = {*range(1, 28), *range(36, 43), 47, *range(50, 54)}
_NUMBER = re.compile(r"Edge case (\d+)[.:]")


def told() -> set[int]:
    """The numbers in the docstrings of all tests."""
    numbers = set()
    for file in Path(__file__).parent.parent.rglob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                numbers |= {int(number) for number in _NUMBER.findall(ast.get_docstring(node) or "")}
    return numbers


def test_every_case_has_a_test_of_its_own():
    assert CASES - told() == set()
