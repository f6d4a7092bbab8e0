"""The page for the hospital's information department at the gateway's root: addresses, downloads, samples, error codes.

It is made once, when the process starts, from the contract and the list of errors, so it can say nothing else than they
do; it needs no other resource, so it opens on a computer without internet and in an old browser.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.contract import Contract
from gateway.documents import Documents
from gateway.errors import GatewayError, MessageFault, RequestRefused

CONTENT_TYPE = "text/html; charset=utf-8"
FIRST_CALL = "QueryRequisition"
"""The sample of the first call: it changes nothing."""
HEALTH = (
    ("healthz", "网关进程是否存活", "whether the gateway is alive"),
    ("readyz", "网关能否接收报文（含数据库）", "whether it can take messages, database included"),
    ("metrics", "监控指标（Prometheus）", "figures for monitoring (Prometheus)"),
)
"""Addresses gateway/soap/server.py answers."""
FAMILIES = {
    "SYS": ("报文", "the message itself"),
    "AUT": ("身份与权限", "identity and rights"),
    "REQ": ("申请单", "requisitions"),
    "STA": ("状态", "status"),
    "RPT": ("报告", "reports"),
    "CHG": ("计费", "charges"),
    "RFD": ("退费", "refunds"),
    "CRV": ("危急值", "critical values"),
    "EMR": ("病历", "medical records"),
    "VIS": ("就诊事件", "visit events"),
    "QRY": ("查询", "queries"),
}


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One code as a partner looks it up."""

    code: str
    chinese: str
    english: str
    retryable: bool
    http_status: str


@dataclass(frozen=True, slots=True)
class ErrorFamily:
    """The codes of one operation or concern."""

    prefix: str
    chinese: str
    english: str
    rows: tuple[ErrorRow, ...]


class IndexPage:
    """The page, ready to be sent."""

    def __init__(
        self,
        contract: Contract,
        documents: Documents,
        endpoint_url: str,
        facades: Iterable[tuple[str, str, tuple[str, ...]]] = (),
    ) -> None:
        """`facades`: name, style and functions of each."""
        every = {operation.name for operation in contract.operations}
        environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        # Links are relative to the page, so that they work behind a proxy that shows the gateway under a longer path.
        self._content = (
            environment.get_template("index.html")
            .render(
                endpoint=endpoint_url,
                soap=urlsplit(endpoint_url).path.rpartition("/")[2],
                operations=contract.operations,
                schemas=_names(documents, "/xsd/"),
                samples=set(_names(documents, "/samples/")),
                first_call=FIRST_CALL,
                faults=families(MessageFault.catalogue()),
                refusals=families(RequestRefused.catalogue()),
                health=HEALTH,
                facades=[
                    (name, style, () if set(functions) == every else functions) for name, style, functions in facades
                ],
            )
            .encode()
        )

    def render(self) -> bytes:
        """The page in UTF-8."""
        return self._content


def families(reasons: Iterable[type[GatewayError]]) -> list[ErrorFamily]:
    """The reasons in the order of gateway/errors.py, gathered under the beginnings of their codes."""
    rows: dict[str, list[ErrorRow]] = {}
    for reason in reasons:
        rows.setdefault(reason.code[:3], []).append(_row(reason))
    return [ErrorFamily(prefix, *FAMILIES[prefix], tuple(found)) for prefix, found in rows.items()]


def _row(reason: type[GatewayError]) -> ErrorRow:
    chinese, english = reason.describe()
    if not issubclass(reason, MessageFault):
        return ErrorRow(reason.code, chinese, english, reason.retryable, "200")
    status = str(reason.http_status)
    return ErrorRow(
        reason.code, chinese, english, reason.retryable, f"{status} / 401" if reason.code == "AUT-401" else status
    )


def _names(documents: Documents, folder: str) -> list[str]:
    return [path.removeprefix(folder) for path in documents.paths if path.startswith(folder)]
