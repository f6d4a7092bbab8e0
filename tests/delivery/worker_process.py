"""A delivery process of its own, for the tests that kill it: python -m tests.delivery.worker_process URL PARTNERS."""

from __future__ import annotations

import json
import sys

from gateway.delivery import policy, sending
from gateway.delivery.worker import run_worker
from gateway.partner_config import Partner
from gateway.store import make_engine
from tests.delivery.site import FAST, Site


def main(url: str, partners: str) -> None:
    policy.WAITS = (0.1, 0.2, 0.3)
    sending.GRACE_SECONDS = 0.5
    known = [Partner(**values) for values in json.loads(partners)]
    site = Site(make_engine(url), url, *known, sync_seconds=1)
    print("ready", flush=True)
    run_worker(known, url, site.sender, timing=FAST)
    print("ended", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
