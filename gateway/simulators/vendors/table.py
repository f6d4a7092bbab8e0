"""All vendors' systems by the word `gateway simulate` has for them: a new one is one module and one line here."""

from __future__ import annotations

from gateway.simulators.vendors.anaesthesia import Anaesthesia
from gateway.simulators.vendors.commercial_insurer import CommercialInsurer
from gateway.simulators.vendors.ecg import Ecg
from gateway.simulators.vendors.emr import Emr
from gateway.simulators.vendors.endoscopy import Endoscopy
from gateway.simulators.vendors.health_check import HealthCheck
from gateway.simulators.vendors.his import His
from gateway.simulators.vendors.hrp import Hrp
from gateway.simulators.vendors.internet_hospital import InternetHospital
from gateway.simulators.vendors.lis import Lis
from gateway.simulators.vendors.message_platform import MessagePlatform
from gateway.simulators.vendors.pacs import Pacs
from gateway.simulators.vendors.pathology import Pathology
from gateway.simulators.vendors.pharmacy import Pharmacy
from gateway.simulators.vendors.poct import Poct
from gateway.simulators.vendors.queue_calling import QueueCalling
from gateway.simulators.vendors.reference_lab import ReferenceLab
from gateway.simulators.vendors.regional import Regional
from gateway.simulators.vendors.ultrasound import Ultrasound
from gateway.simulators.vendors.vendor import Vendor

VENDORS: dict[str, type[Vendor]] = {
    "his": His,
    "emr": Emr,
    "lis": Lis,
    "pacs": Pacs,
    "ultrasound": Ultrasound,
    "endoscopy": Endoscopy,
    "ecg": Ecg,
    "anaesthesia": Anaesthesia,
    "pathology": Pathology,
    "commercial-insurer": CommercialInsurer,
    "regional": Regional,
    "internet-hospital": InternetHospital,
    "hrp": Hrp,
    "pharmacy": Pharmacy,
    "reference-lab": ReferenceLab,
    "poct": Poct,
    "health-check": HealthCheck,
    "queue-calling": QueueCalling,
    "message-platform": MessagePlatform,
}
