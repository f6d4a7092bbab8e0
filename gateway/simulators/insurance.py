"""The simulated insurance platform: visits, uploaded details, settlements, and what was taken back of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from gateway.simulators.memory import Record
from gateway.simulators.system import SimulatedSystem

KNOWN_PERSONS = "YB"
"""Everybody whose insurance number begins so is insured; others are unknown, so that a refusal can be seen."""
UPLOADED, WITHDRAWN, SETTLED, REVERSED, UNDONE = "UPLOADED", "WITHDRAWN", "SETTLED", "REVERSED", "UNDONE"
OWN_SHARE = Decimal("0.30")
"""What the patient pays of everything."""


class Refused(Exception):
    """The platform's err_msg."""


class SimulatedInsurance(SimulatedSystem):
    """Carries out each msgid once: the same again gets the first answer. A settled visit's details stay as they are."""

    name = "YB"

    def serves(self, operation: str) -> bool:
        return operation in self.functions

    def carry_out(self, function: str, message_no: str, content: dict[str, Any]) -> dict[str, Any]:
        """The `output` of a message. Raises Refused, after which nothing has changed."""
        known = self.memory.recall("answers", (message_no,))
        if known is not None and not known["undone"]:
            if known["function"] != function:
                raise Refused("msgid 已用于其他交易")
            output: dict[str, Any] = known["output"]
            return output
        output = self.functions[function](content)
        self.memory.remember("answers", (message_no,), function=function, input=content, output=output, undone=False)
        return output

    def state(self) -> dict[str, Any]:
        """What it remembers, without the messages themselves."""
        return {kind: records for kind, records in self.memory.everything().items() if kind != "answers"}

    def act(self, action: str, number: str, amount: str = "") -> None:
        """`invent` a batch of the last visit, as if somebody else had uploaded it."""
        if action != "invent" or not self.memory.all("visits"):
            return super().act(action, number, amount)
        visit = self.memory.all("visits")[-1]
        names = {"detail_no": f"{number}001", "batch_no": number, "day": f"{datetime.now().astimezone():%Y-%m-%d}"}
        whose = {"visit_no": visit["visit_no"], "platform_visit_no": visit["platform_visit_no"]}
        return self._keep_detail({**names, **whose, "amount": amount}, UPLOADED)

    @property
    def functions(self) -> dict[str, Callable[[Any], dict[str, Any]]]:
        """What it serves: function number -> what does it."""
        return {
            "9001": self._sign_in,
            "2201": self._register,
            "2401": self._register,
            "2204": self._upload,
            "2301": self._upload,
            "2205": self._withdraw,
            "2302": self._withdraw,
            "2206": self._try_settlement,
            "2303": self._try_settlement,
            "2207": self._settle,
            "2304": self._settle,
            "2208": self._reverse,
            "2305": self._reverse,
            "2601": self._undo,
            "3201": self._totals,
            "3202": self._details,
        }

    # --- visits and details -------------------------------------------------------------------------------------------

    def _sign_in(self, content: Any) -> dict[str, Any]:
        return {"signinoutb": {"sign_no": f"QD{datetime.now().astimezone():%Y%m%d}"}}

    def _register(self, content: Any) -> dict[str, Any]:
        wanted = content.get("mdtrtinfo") or content["data"]
        if not wanted["psn_no"].startswith(KNOWN_PERSONS):
            raise Refused("未查询到参保人信息")
        key = (wanted["ipt_otp_no"],)
        visit = self.memory.recall("visits", key) or self.memory.remember(
            "visits",
            key,
            visit_no=wanted["ipt_otp_no"],
            platform_visit_no=self.memory.next_number("visits", "JZ"),
            person_no=wanted["psn_no"],
        )
        return {"data": {"mdtrt_id": visit["platform_visit_no"], "ipt_otp_no": visit["visit_no"]}}

    def _upload(self, content: Any) -> dict[str, Any]:
        wanted = content["feedetail"]
        for line in wanted:
            visit = self._open_visit(line)
            known = self.memory.recall("details", (line["feedetl_sn"],))
            if known is not None and known["state"] != UNDONE:
                raise Refused(f"费用明细流水号重复：{line['feedetl_sn']}")
            _amount(line["det_item_fee_sumamt"])
        for line in wanted:
            self._keep_detail(
                {
                    "detail_no": line["feedetl_sn"],
                    "batch_no": line["chrg_bchno"],
                    "visit_no": visit["visit_no"],
                    "platform_visit_no": line["mdtrt_id"],
                    "amount": line["det_item_fee_sumamt"],
                    "day": line["fee_ocur_time"][:10],
                },
                UPLOADED,
            )
        return {"result": [{"feedetl_sn": line["feedetl_sn"]} for line in wanted]}

    def _withdraw(self, content: Any) -> dict[str, Any]:
        found = self._withdrawn(content["data"])
        if not found or any(detail["state"] != UPLOADED for detail in found):
            raise Refused("没有可撤销的费用明细")
        for detail in found:
            self._keep_detail(detail, WITHDRAWN)
        return {}

    def _withdrawn(self, wanted: Any) -> list[Record]:
        """What a withdrawal names: of an outpatient a batch, of an inpatient the lines."""
        self._open_visit(wanted[0] if isinstance(wanted, list) else wanted)
        if isinstance(wanted, list):
            numbers = {line["feedetl_sn"] for line in wanted}
            return [detail for detail in self.memory.all("details") if detail["detail_no"] in numbers]
        return [
            detail
            for detail in self.memory.all("details")
            if (detail["platform_visit_no"], detail["batch_no"]) == (wanted["mdtrt_id"], wanted["chrg_bchno"])
        ]

    def _keep_detail(self, detail: Record, state: str) -> None:
        self.memory.remember("details", (detail["detail_no"],), **{**detail, "state": state})

    def _visit(self, wanted: Any) -> Record:
        for visit in self.memory.all("visits"):
            if visit["platform_visit_no"] == wanted["mdtrt_id"] and visit["person_no"] == wanted["psn_no"]:
                return visit
        raise Refused("未查询到就诊信息")

    def _open_visit(self, wanted: Any) -> Record:
        visit = self._visit(wanted)
        if self._settlement_of(visit) is not None:
            raise Refused("就诊已结算，请先撤销结算")
        return visit

    # --- settlements --------------------------------------------------------------------------------------------------

    def _try_settlement(self, content: Any) -> dict[str, Any]:
        wanted = content["data"]
        visit = self._open_visit(wanted)
        details = [d for d in self.memory.all("details") if d["platform_visit_no"] == visit["platform_visit_no"]]
        total = sum((_amount(d["amount"]) for d in details if d["state"] == UPLOADED), Decimal("0.00"))
        if total != _amount(wanted["medfee_sumamt"]):
            raise Refused("医疗费总额与上传明细不一致")
        own = (total * OWN_SHARE).quantize(Decimal("0.01"))
        return {
            "setlinfo": {
                "mdtrt_id": visit["platform_visit_no"],
                "medfee_sumamt": str(total),
                "fund_pay_sumamt": str(total - own),
                "psn_part_amt": str(own),
            }
        }

    def _settle(self, content: Any) -> dict[str, Any]:
        output = self._try_settlement(content)
        visit = self._visit(content["data"])
        number = self.memory.next_number("settlements", "JS")
        self.memory.remember(
            "settlements",
            (number,),
            settlement_no=number,
            visit_no=visit["visit_no"],
            platform_visit_no=visit["platform_visit_no"],
            total=output["setlinfo"]["medfee_sumamt"],
            state=SETTLED,
        )
        output["setlinfo"]["setl_id"] = number
        return output

    def _reverse(self, content: Any) -> dict[str, Any]:
        wanted = content["data"]
        settlement = self._settlement_of(self._visit(wanted))
        if settlement is None or settlement["settlement_no"] != wanted["setl_id"]:
            raise Refused("没有可撤销的结算")
        self._keep_settlement(settlement, REVERSED)
        return {"setlinfo": {"setl_id": settlement["settlement_no"]}}

    def _settlement_of(self, visit: Record) -> Record | None:
        """The settlement of the visit that stands."""
        for settlement in self.memory.all("settlements"):
            if settlement["visit_no"] == visit["visit_no"] and settlement["state"] == SETTLED:
                return settlement
        return None

    def _keep_settlement(self, settlement: Record, state: str) -> None:
        self.memory.remember("settlements", (settlement["settlement_no"],), **{**settlement, "state": state})

    # --- undoing, and what reconciliation asks ------------------------------------------------------------------------

    def _undo(self, content: Any) -> dict[str, Any]:
        """As if the message had never come; its msgid is free again."""
        wanted = content["data"]
        key = (wanted["omsgid"],)
        known = self.memory.recall("answers", key)
        if known is None or known["undone"] or known["function"] != wanted["oinfno"]:
            raise Refused("未查询到原交易")
        self._undo_effect(known)
        self.memory.remember("answers", key, **{**known, "undone": True})
        return {}

    def _undo_effect(self, known: Record) -> None:
        function, content = known["function"], known["input"]
        if function in ("2204", "2301"):
            for line in content["feedetail"]:
                detail = self.memory.recall("details", (line["feedetl_sn"],))
                if detail is not None:
                    self._keep_detail(detail, UNDONE)
        elif function in ("2205", "2302"):
            for detail in self._withdrawn(content["data"]):
                self._keep_detail(detail, UPLOADED)
        elif function in ("2207", "2304", "2208", "2305"):
            settlement = self.memory.recall("settlements", (known["output"]["setlinfo"]["setl_id"],))
            if settlement is not None:
                self._keep_settlement(settlement, UNDONE if function in ("2207", "2304") else SETTLED)

    def _totals(self, content: Any) -> dict[str, Any]:
        details = self._of_days(content["data"])
        total = sum((_amount(detail["amount"]) for detail in details), Decimal("0.00"))
        return {"stmtinfo": {"setl_cnt": len(details), "medfee_sumamt": str(total)}}

    def _details(self, content: Any) -> dict[str, Any]:
        settled = {s["visit_no"] for s in self.memory.all("settlements") if s["state"] == SETTLED}
        return {
            "detail": [
                {
                    "feedetl_sn": detail["detail_no"],
                    "chrg_bchno": detail["batch_no"],
                    "ipt_otp_no": detail["visit_no"],
                    "det_item_fee_sumamt": detail["amount"],
                    "state": SETTLED if detail["visit_no"] in settled else UPLOADED,
                }
                for detail in self._of_days(content["data"])
            ]
        }

    def _of_days(self, wanted: Any) -> list[Record]:
        return [
            detail
            for detail in self.memory.all("details")
            if detail["state"] == UPLOADED and wanted["stmt_begndate"] <= detail["day"] <= wanted["stmt_enddate"]
        ]


def _amount(text: Any) -> Decimal:
    try:
        return Decimal(str(text))
    except InvalidOperation:
        raise Refused("金额格式错误") from None
