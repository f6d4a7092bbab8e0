"""`python -m gateway.simulators KIND PORT LOG FOLDER [GATEWAY]`: one simulated system
that ends with whoever started it.

Beside `gateway simulate` because it is there within half a second: it loads nothing of the gateway's own commands.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gateway.simulators.process import DATABASE, LOGIN, VENDOR
from gateway.simulators.run import PortInUse, simulate
from gateway.simulators.vendors.calling import Gateway

kind, port, log, folder = sys.argv[1:5]
name, _, password = os.environ.pop(LOGIN, "").partition(":")
gateway = Gateway(sys.argv[5], (name, password) if name else None) if len(sys.argv) > 5 else None
try:
    simulate(
        kind.removeprefix(VENDOR),
        int(port),
        Path(log),
        folder=Path(folder),
        end_with_parent=True,
        vendor=kind.startswith(VENDOR),
        gateway=gateway,
        database=os.environ.pop(DATABASE, ""),
    )
except PortInUse as problem:
    sys.exit(str(problem))
