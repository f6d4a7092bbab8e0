"""Who is killed is planned by the seed, and only what was alive counts."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter

import pytest

from tests.chaos.kills import BACKEND, DATABASE, DELIVERY, WEB_MASTER, WEB_WORKER, is_alive, killed, planned


@pytest.mark.parametrize("kills", [14, 100, 105, 250])
def test_a_tenth_at_least_of_those_killed_are_the_database(kills: int):
    counts = Counter(planned(kills, random.Random(1)))
    assert counts.total() == kills
    assert counts[DATABASE] >= kills / 10
    assert all(counts[what] for what in (WEB_WORKER, WEB_MASTER, DELIVERY, BACKEND))


def test_a_seed_always_kills_in_the_same_order():
    assert planned(100, random.Random(7)) == planned(100, random.Random(7))
    assert planned(100, random.Random(7)) != planned(100, random.Random(8))


def test_only_what_was_alive_counts_as_killed():
    victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    assert is_alive(victim.pid)
    assert killed(victim.pid)
    while is_alive(victim.pid):
        pass  # dead, and not yet buried
    assert not killed(victim.pid)
    assert victim.wait() == -9
    assert not killed(victim.pid)
