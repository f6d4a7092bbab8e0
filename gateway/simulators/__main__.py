"""`python -m gateway.simulators KIND PORT LOG FOLDER`: one simulated system that ends with whoever started it.

Beside `gateway simulate` because it is there within half a second: it loads nothing of the gateway's own commands.
"""

from __future__ import annotations

import sys
from pathlib import Path

from gateway.simulators.run import PortInUse, simulate

kind, port, log, folder = sys.argv[1:]
try:
    simulate(kind, int(port), Path(log), folder=Path(folder), end_with_parent=True)
except PortInUse as problem:
    sys.exit(str(problem))
