"""Where the files of a WSDL come from: a folder, or the partner's web server for what lies nowhere else.

A file that lies beside the WSDL is taken before the network is asked, whatever host its location names: schemas are
often imported from host names that exist only inside the partner's computer room.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit, urlunsplit

import requests
from lxml import etree

from gateway.partners.wsdl.errors import WsdlError
from gateway.partners.wsdl.reading import LARGEST

SECONDS = 5.0
"""How long a host may take to connect, and to send the next piece."""
PUBLIC = ("schemas.xmlsoap.org", "www.w3.org", "w3.org", "xml.apache.org", "docs.oasis-open.org", "ws-i.org")
"""Hosts of standards; what they hold comes with the gateway, and hospitals have no way to them."""
_SHOWN = {"wsdl", "singlewsdl", "xsd", "wsdl2", "disco", "schema"}


@dataclass(frozen=True, slots=True)
class Fetched:
    """One file as it came."""

    location: str
    """Its path or its address without user and password."""
    content: bytes
    charset: str = ""


class Unreachable(Exception):
    """A file could not be had; the text says why, in a clause."""


def shown(location: str) -> str:
    """A location as it may be printed: real ones carry users and passwords."""
    if not is_url(location):
        return location
    try:
        parts = urlsplit(location)
    except ValueError:  # such as http://[bad
        return "an address that is none"
    known = all(name.lower() in _SHOWN for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query if known else "", ""))


def is_url(location: str) -> bool:
    return location.lower().startswith(("http://", "https://"))


class Places:
    """Fetches a WSDL and what it imports; a host that does not answer is asked once."""

    def __init__(self, source: str, login: tuple[str, str] | None = None, seconds: float = SECONDS) -> None:
        self._source = source if is_url(source) else str(Path(source).absolute())
        self._login = login
        self._seconds = seconds
        self._dead: dict[str, str] = {}
        self._folder = None if is_url(source) else Path(self._source).parent

    def first(self) -> Fetched:
        """The WSDL itself. Raises WsdlError."""
        try:
            if not is_url(self._source):
                return self._from_file(Path(self._source))
            return self._first_by_http()
        except Unreachable as problem:
            raise WsdlError(f"{shown(self._source)} cannot be read: {problem}.") from None

    def imported(self, location: str, base: str) -> Fetched:
        """What a file at `base` imports from `location`. Raises Unreachable."""
        try:
            urlsplit(location)
        except ValueError:
            raise Unreachable("its address is none") from None
        why = "the address is no file and no URL"
        for path in self._beside(location, base):
            if path.is_file():
                return self._from_file(path)
            why = f"there is no file {path.name} beside it"
        for address in self._addresses(location, base):
            try:
                return self._by_http(address)
            except Unreachable as problem:
                why = str(problem)
        raise Unreachable(why)

    def of_namespace(self, namespace: str) -> Fetched | None:
        """A schema file beside the WSDL that has this namespace, if there is just one."""
        if self._folder is None:
            return None
        found = [path for path in sorted(self._folder.glob("*.xsd")) if _has_namespace(path, namespace)]
        return self._from_file(found[0]) if len(found) == 1 else None

    # --- Files --------------------------------------------------------------------------------------------------------

    def _beside(self, location: str, base: str) -> Iterator[Path]:
        if self._folder is None:
            return
        parts = urlsplit(location.replace("\\", "/"))
        here = self._folder if is_url(base) else Path(base).parent
        if parts.path and not parts.scheme:
            yield here / unquote(parts.path)
        names = [unquote(parts.path.rpartition("/")[2])] if parts.path else []
        if parts.query:
            value = parts.query.rpartition("=")[2]
            stem = Path(self._source).stem
            words = [f"{stem}.{value}", f"{stem}_{value}", f"{stem}-{value}", value]
            found = [value, *(f"{word}{ending}" for ending in (".xsd", ".wsdl") for word in words)]
            names = found + [name for name in names if name.endswith((".xsd", ".wsdl"))]
        steps = unquote(parts.path).split("/")  # http://host/his/xsd/a.xsd may lie here as xsd/a.xsd
        names += ["/".join(steps[start:]) for start in range(1, len(steps) - 1)]
        for name in names:
            if name and not name.startswith("/") and ".." not in name:
                yield from (here / name, self._folder / name)

    @staticmethod
    def _from_file(path: Path) -> Fetched:
        try:
            with path.open("rb") as file:
                content = file.read(LARGEST + 1)
        except IsADirectoryError:
            raise Unreachable("it is a folder, not a file") from None
        except OSError as problem:
            raise Unreachable((problem.strerror or "the file cannot be read").lower()) from None
        if len(content) > LARGEST:
            raise Unreachable("it is larger than 20 MB")
        return Fetched(str(path), content)

    # --- Web servers --------------------------------------------------------------------------------------------------

    def _addresses(self, location: str, base: str) -> Iterator[str]:
        """Where it may be: as it says, then at the host that gave us the WSDL."""
        address = urljoin(base, location) if is_url(base) else location
        if not is_url(address):
            return
        host = urlsplit(address).hostname or ""
        if host in PUBLIC:
            return
        yield address
        if is_url(self._source) and host != urlsplit(self._source).hostname:
            asked, parts = urlsplit(self._source), urlsplit(address)
            yield urlunsplit((asked.scheme, asked.netloc, parts.path, parts.query, ""))

    def _first_by_http(self) -> Fetched:
        fetched = self._by_http(self._source)
        beginning = fetched.content[:4000].lower()
        if urlsplit(self._source).query or not (b"<html" in beginning or b"<!doctype html" in beginning):
            return fetched
        try:
            second = self._by_http(f"{self._source}?wsdl")
        except Unreachable:
            return fetched
        return second if b"definitions" in second.content[:8000] else fetched

    def _by_http(self, address: str) -> Fetched:
        parts = urlsplit(address)
        host = parts.netloc.rpartition("@")[2]
        if host in self._dead:
            raise Unreachable(self._dead[host])
        if not parts.hostname:
            raise Unreachable("the address names no host")
        same = parts.hostname == urlsplit(self._source).hostname
        login = self._login if same else None
        if login is None and parts.username:
            login = (unquote(parts.username), unquote(parts.password or ""))
        plain = urlunsplit((parts.scheme, host, parts.path or "/", parts.query, ""))
        try:
            return Fetched(shown(address), *self._got(plain, login))
        except requests.exceptions.SSLError:
            why = f"the certificate of {host} is not trusted here: save the WSDL from a browser and give the file"
        except requests.exceptions.Timeout:
            why = f"{host} does not answer within {self._seconds:g} s"
        except requests.exceptions.ConnectionError as problem:
            unknown = "resolve" in str(problem) or "getaddrinfo" in str(problem)
            why = f"the host name {parts.hostname} is unknown here" if unknown else f"nothing answers at {host}"
        except (requests.exceptions.RequestException, ValueError):
            why = f"what {host} sends is no answer of a web server"
        self._dead[host] = why
        raise Unreachable(why) from None

    def _got(self, address: str, login: tuple[str, str] | None) -> tuple[bytes, str]:
        with requests.Session() as session:
            session.trust_env = False
            session.auth = login
            with session.get(address, timeout=self._seconds, stream=True) as answer:
                if answer.status_code in (401, 403):
                    raise Unreachable(f"HTTP {answer.status_code}: the address needs a user and password (--user)")
                if answer.status_code != 200:
                    raise Unreachable(f"HTTP {answer.status_code}")
                content = bytearray()
                for piece in answer.iter_content(64 * 1024):
                    content += piece
                    if len(content) > LARGEST:
                        raise Unreachable("it is larger than 20 MB")
                found = re.search(r"charset=[\"']?([\w.-]+)", answer.headers.get("Content-Type", ""))
                return bytes(content), found.group(1) if found else ""


def _has_namespace(path: Path, namespace: str) -> bool:
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        return bool(etree.parse(str(path), parser).getroot().get("targetNamespace") == namespace)
    except (OSError, etree.XMLSyntaxError):
        return False
