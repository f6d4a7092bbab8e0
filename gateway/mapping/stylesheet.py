"""Stylesheets: XSLT 1.0 with the functions of functions.py, that read nothing but files beside them."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

from lxml import etree

from gateway.mapping.codes import Unmapped
from gateway.mapping.errors import MappingFailed, NotWanted, StylesheetBroken
from gateway.mapping.functions import EXTENSIONS

STANDARD = "gateway:"
"""Imports that begin so are of the stylesheets that ship with the gateway: gateway:hl7/oru.xsl."""
STANDARD_FOLDER = Path(__file__).parent.parent / "examples"
_NOTHING_OUTSIDE = etree.XSLTAccessControl(
    read_network=False, write_network=False, read_file=False, write_file=False, create_dir=False
)
_XSL = "{http://www.w3.org/1999/XSL/Transform}"


def located(name: str, folder: Path) -> Path:
    """Where a stylesheet is that settings name: in their folder, or among those that ship with the gateway."""
    return STANDARD_FOLDER / name.removeprefix(STANDARD) if name.startswith(STANDARD) else folder / name


class Stylesheet:
    """One stylesheet, compiled; any number of threads may apply it at once."""

    def __init__(self, path: Path) -> None:
        """Raises StylesheetBroken."""
        self.path = path
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        parser.resolvers.add(_Beside(path.parent))
        try:
            document = etree.parse(str(path), parser)
            self._xslt = etree.XSLT(document, extensions=EXTENSIONS, access_control=_NOTHING_OUTSIDE)
        except OSError as problem:
            raise StylesheetBroken(f"{path} cannot be read: {problem.strerror or 'it is no file'}.") from None
        except etree.XMLSyntaxError as problem:
            raise StylesheetBroken(f"{path}, line {problem.lineno}: no well-formed XML: {problem.msg}.") from None
        except etree.XSLTParseError as problem:
            raise StylesheetBroken(_first_of(path, problem)) from None
        self._declared = {_folded(space): space for space in document.getroot().nsmap.values()}
        output = document.getroot().find(f"{_XSL}output")
        self._is_text = output is not None and output.get("method") == "text"

    def apply(self, source: etree._Element) -> etree._Element | str:
        """What it makes of a message: the root element, or with method="text" a text.

        To be called within functions.under. Raises MappingFailed, NotWanted or Unmapped.
        """
        try:
            source = self._in_declared_namespaces(source)
            result = self._xslt(etree.ElementTree(source) if source.getparent() is None else source)
        except (NotWanted, Unmapped):
            raise
        except MappingFailed as problem:
            raise MappingFailed(f"{self.path.name}: {problem}") from None
        except etree.XSLTApplyError as problem:
            raise MappingFailed(f"{self.path.name}: {_where(problem)}") from None
        except TypeError:
            raise MappingFailed(f"{self.path.name}: a function was given too few arguments, or too many.") from None
        if self._is_text:
            return str(result)
        root = result.getroot()
        if root is None:
            raise MappingFailed(f"{self.path.name} makes nothing of this message.")
        return root

    def _in_declared_namespaces(self, source: etree._Element) -> etree._Element:
        """The message in the namespaces the stylesheet declares, where it writes them with another slash or case."""
        found = {etree.QName(element).namespace for element in source.iter(etree.Element)}
        wrong = {
            space: self._declared[_folded(space)]
            for space in found
            if space and self._declared.get(_folded(space), space) != space
        }
        if not wrong:
            return source
        copy = deepcopy(source)
        for element in copy.iter(etree.Element):
            name = etree.QName(element)
            if name.namespace in wrong:
                element.tag = f"{{{wrong[name.namespace]}}}{name.localname}"
        return copy


def _folded(namespace: str) -> str:
    return namespace.strip().rstrip("/#").casefold()


class _Beside(etree.Resolver):  # type: ignore[misc]
    """Finds what a stylesheet imports beside it, or among those that ship with the gateway; nothing else."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder.resolve()

    def resolve(self, url: str, public_id: str | None, context: object) -> object:
        if url.startswith(STANDARD):
            folder, path = STANDARD_FOLDER, STANDARD_FOLDER / url.removeprefix(STANDARD)
        else:
            folder, path = self._folder, Path(url)
        path = path.resolve()
        if not path.is_relative_to(folder) and not path.is_relative_to(STANDARD_FOLDER):
            return self.resolve_empty(context)
        try:
            return self.resolve_string(path.read_bytes(), context, base_url=str(path))
        except OSError:
            return self.resolve_empty(context)


def _first_of(path: Path, problem: etree.XSLTParseError) -> str:
    """What is wrong first; of an XPath libxslt tells the line only in a second entry."""
    entries = list(problem.error_log)
    entry = next((one for one in entries if one.line and one.filename != "<string>"), entries[0] if entries else None)
    where = f"{entry.filename or path}, line {entry.line}" if entry is not None else str(path)
    words = entry.message if entry is not None else str(problem)
    if words.startswith("compilation error"):  # the entry behind it says what; it is about the stylesheet alone
        words = entries[-1].message.replace(" : ", ": ")
    return f"{where}: {words.rstrip('.')}."


def _where(problem: etree.XSLTApplyError) -> str:
    """The line of the stylesheet; what libxslt says may hold a value of the message, unless the author wrote it."""
    entries = list(problem.error_log)
    line = next((entry.line for entry in entries if entry.line), 0)
    why = next((WRONG_XPATH[entry.type_name] for entry in entries if entry.type_name in WRONG_XPATH), "")
    where = f"it cannot be applied (line {line})" if line else "it cannot be applied"
    return f"{where}: {why}." if why else f"{where}."


WRONG_XPATH = {
    "XPATH_UNKNOWN_FUNC_ERROR": "it calls a function that does not exist",
    "XPATH_UNDEF_VARIABLE_ERROR": "it names a variable that is not declared",
    "XPATH_UNDEF_PREFIX_ERROR": "it uses a prefix that is not declared",
}
"""What libxslt notices only while it works, and can be told because it is about the stylesheet alone."""
