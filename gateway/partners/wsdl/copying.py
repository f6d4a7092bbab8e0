"""Copies a WSDL with all it imports into a partner's folder, so that nothing is asked of the network ever again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lxml import etree

from gateway.partners.wsdl import bindings, references, schemas, standard, writing
from gateway.partners.wsdl.errors import WsdlError
from gateway.partners.wsdl.fetching import SECONDS, Fetched, Places, Unreachable, is_url, shown
from gateway.partners.wsdl.imports import Missing, mend_imports
from gateway.partners.wsdl.names import WSDL, XS, line_of
from gateway.partners.wsdl.reading import Part, read

LOCATION = {
    WSDL + "import": "location",
    XS + "import": "schemaLocation",
    XS + "include": "schemaLocation",
    XS + "redefine": "schemaLocation",
}
MOST_FILES = 500


@dataclass(frozen=True, slots=True)
class Repair:
    """What was put right in one file."""

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Copied:
    """A WSDL in a partner's folder."""

    wsdl: Path
    files: tuple[str, ...]
    repairs: tuple[Repair, ...]


def copy_wsdl(
    source: str | Path,
    into: Path,
    *,
    login: tuple[str, str] | None = None,
    seconds: float = SECONDS,
    tell: Callable[[str], None] = lambda location: None,
) -> Copied:
    """Copy the WSDL at a path or an http(s) address and all it imports into a folder, repaired.

    `tell` hears each location before it is fetched. Raises WsdlError, and then has written nothing.
    """
    try:
        parts = _repaired(Collection(Places(str(source), login, seconds), tell), str(source))
        documents = writing.documents(parts)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        raise WsdlError(
            f"{shown(str(source))} holds something that is not understood ({type(problem).__name__}): ask the partner "
            "for the WSDL again, and report it with the file."
        ) from None
    writing.write(documents, into)
    repairs = tuple(Repair(part.name, text) for part in parts for text in dict.fromkeys(part.repairs))
    return Copied(into / parts[0].name, tuple(part.name for part in parts), repairs)


def _repaired(collection: Collection, source: str) -> list[Part]:
    """All files, put right."""
    collection.gather()
    parts = collection.parts
    for part in parts:
        schemas.mend(part)
    schemas.mend_together(parts)
    mend_imports(collection)
    bindings.complete(parts)
    references.mend(parts, collection.missing)
    bindings.mend(parts, source)
    return parts


class Collection:
    """The files of one WSDL: the first, and whatever they import, each once."""

    def __init__(self, places: Places, tell: Callable[[str], None] = lambda location: None) -> None:
        self.parts: list[Part] = []
        self.missing: list[Missing] = []
        self._places = places
        self._tell = tell
        self._known: dict[str, Part] = {}
        self._same: dict[str, Part] = {}
        self._waiting: list[Part] = []

    def gather(self) -> None:
        """Fetch the WSDL and everything that is reached from it."""
        self._add(self._places.first())
        self.follow()

    def follow(self) -> None:
        """Fetch what the files that were added since import."""
        while self._waiting:
            part = self._waiting.pop(0)
            for link in list(_links(part)):
                self._resolve(part, link)

    def standard(self, namespace: str) -> Part | None:
        """Our own copy of a standard schema; None for a namespace that is none."""
        fetched = standard.fetched(namespace)
        return self._add(fetched) if fetched else None

    def beside(self, namespace: str) -> Part | None:
        """A schema of this namespace that lies beside the WSDL."""
        fetched = self._places.of_namespace(namespace)
        return self._add(fetched) if fetched else None

    def _resolve(self, part: Part, link: etree._Element) -> None:
        """Let one import lead to a local file, or nowhere."""
        attribute = LOCATION[link.tag]
        location = link.get(attribute)
        if not location:
            link.attrib.pop(attribute, None)
            return
        namespace = link.get("namespace")
        host = host_of(location)
        try:
            found = self._fetch(location, part)
        except (Unreachable, WsdlError) as problem:
            ours = self.standard(namespace) if namespace else None
            if ours is not None:
                if host is not None:
                    part.repairs.append(f"took our own copy of {namespace}")
                link.set(attribute, ours.name)
                return
            self.missing.append(
                Missing(part, line_of(link), namespace, shown(location), str(problem).partition(". ")[0])
            )
            link.attrib.pop(attribute)
            return
        if host and not is_url(found.location):
            part.repairs.append(f"took {found.name} from beside the WSDL, not from {host}")
        elif host and urlsplit(found.location).hostname != host:
            part.repairs.append(f"took {found.name} from {urlsplit(found.location).hostname}, not from {host}")
        link.set(attribute, found.name)

    def _fetch(self, location: str, part: Part) -> Part:
        if f"{part.location}\n{location}" in self._known:
            return self._known[f"{part.location}\n{location}"]
        if len(self.parts) >= MOST_FILES:
            raise Unreachable(f"the WSDL already has {MOST_FILES} files")
        self._tell(shown(location))
        fetched = self._places.imported(location, part.location)
        found = self._known[f"{part.location}\n{location}"] = self._add(fetched)
        return found

    def _add(self, fetched: Fetched) -> Part:
        """One more file, unless it is known, perhaps under another address."""
        same = hashlib.sha256(fetched.content).hexdigest()
        if same in self._same:
            return self._same[same]
        part = read(fetched.content, fetched.location, fetched.charset)
        part.name = self._name(part)
        self._same[same] = part
        self.parts.append(part)
        self._waiting.append(part)
        return part

    def _name(self, part: Part) -> str:
        """A safe name for the local file, from the address: `?xsd=xsd0` is xsd0.xsd."""
        pieces = urlsplit(part.location)
        name = pieces.path.replace("\\", "/").rpartition("/")[2]
        value = pieces.query.rpartition("=")[2] if "=" in pieces.query else ""
        stem = re.sub(r"\.(wsdl|xsd|asmx|svc|cls|xml|txt|php|jws)$", "", value or name, flags=re.IGNORECASE)
        stem = re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_-")[:60] or "service"
        ending = ".wsdl" if part.is_wsdl else ".xsd"
        taken = {other.name.lower() for other in self.parts}
        name, number = f"{stem}{ending}", 2
        while name.lower() in taken:
            name, number = f"{stem}-{number}{ending}", number + 1
        return name


def host_of(location: str) -> str | None:
    try:
        return urlsplit(location).hostname
    except ValueError:
        return None


def _links(part: Part) -> Iterator[etree._Element]:
    yield from (element for element in part.root.iter(*LOCATION) if isinstance(element.tag, str))
