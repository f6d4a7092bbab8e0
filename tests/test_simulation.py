"""The simulation behind docs/scale.md is held against what is known of queues."""

import random
from xml.etree import ElementTree

import pytest

from benchmarks.arrivals import MIX, Machine, Result, Site, Step, simulate
from benchmarks.plot import lines
from benchmarks.service_times import Cost, Measured
from benchmarks.simulation import Delivery, Partner, Simulation, Station, quantile

COST = Cost(wall=0.006, web=0.003, database=0.001, walls=[0.006])
MEASURED = Measured("today", "here", 0.0, dict.fromkeys(MIX, COST), 0.002, 0.001, 100.0, 0.0, 0.0, 1.0)
ONE = Machine(2, 2, 1, shared=True)


def mean_wait(servers: int, load: float, seconds: float = 12_000) -> float:
    """Of customers who come by chance and are served by chance, a second in the middle."""
    simulation, station, chance, waits = Simulation(), Station("one", servers), random.Random(3), []
    now = 0.0
    while (now := now + chance.expovariate(load * servers)) < seconds:

        def come(service: float = chance.expovariate(1)) -> None:
            begun = simulation.now
            simulation.go([(station, service)], lambda: waits.append(simulation.now - begun - service))

        simulation.at(now, come)
    simulation.run()
    return sum(waits) / len(waits)


@pytest.mark.parametrize(("servers", "load", "known"), [(1, 0.5, 1.0), (1, 0.8, 4.0), (2, 0.8, 1.778)])
def test_a_queue_is_as_long_as_theory_says(servers, load, known):
    assert mean_wait(servers, load) == pytest.approx(known, rel=0.2)


def test_deliveries_of_one_lock_go_one_after_the_other_and_no_more_at_once_than_there_are_slots():
    simulation, done = Simulation(), []
    partner = Partner(simulation, slots=2)
    for number, lock in enumerate(["A", "A", "A", "B", "C"]):

        def stages(number: int = number):
            yield None, 1.0
            done.append((number, simulation.now))

        partner.put(Delivery(lock, 0.0, stages))
    simulation.run()
    assert done == [(0, 1.0), (3, 1.0), (4, 2.0), (1, 2.0), (2, 3.0)]
    assert (partner.left, partner.longest, partner.drained_at) == (0, 5, 3.0)


def test_nothing_is_delivered_to_a_partner_that_is_down():
    simulation = Simulation()
    partner = Partner(simulation, slots=2, up=False)
    partner.put(Delivery("A", 0.0, lambda: [(None, 1.0)]))
    simulation.run()
    partner.up = True
    partner.serve()
    simulation.run()
    assert partner.waits == [1.0]


def test_a_quiet_site_answers_in_what_a_message_takes():
    result = simulate(Step("", 120, 1, 1, burst=1, batches=False), ONE, MEASURED)
    assert quantile(result.seconds_of, 0.5) == pytest.approx(0.006, abs=0.002)
    assert result.holds
    assert 80 < result.arrivals < 160


def test_more_than_the_cores_can_do_ends_in_time_outs_and_repetitions():
    result = simulate(Step("", 30, 1, 900, burst=1, batches=False), ONE, MEASURED)
    assert result.timeouts > 0
    assert not result.holds
    assert max(result.utilisation.values()) > 0.95


def test_after_an_outage_what_waits_is_drained_at_the_partner_s_pace():
    result = simulate(Step("", 300, 1, 0.1, burst=1, batches=False, backlog=2000), ONE, MEASURED)
    assert result.longest_backlog >= 2000
    assert result.drained_after == pytest.approx(2000 / 4 * 0.06 * 1.83, rel=0.15)


def test_the_same_chances_give_the_same_figures():
    def run() -> Result:
        return simulate(Step("", 60, 3, 2), ONE, MEASURED, seed=9)

    assert run().seconds_of == run().seconds_of


def test_a_message_asks_its_cores_for_what_was_measured():
    site = Site(MEASURED, Machine(4, 4, 1), seed=1)
    used = {station.name: seconds for station, seconds in site.stages("SubmitRequisition") if station is site.database}
    assert used == {"database": 0.001}


def test_the_picture_is_a_picture():
    root = ElementTree.fromstring(lines("p99 & so", "x", {"a < b": [(1, 2), (10, 5000)]}, top=3000))
    assert next(one.text for one in root.iter("{http://www.w3.org/2000/svg}text")) == "p99 & so"
