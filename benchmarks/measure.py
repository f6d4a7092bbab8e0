"""Measures the servers in turn, round by round, so that what else the machine does meets all of them."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

from benchmarks.site import USER, Server, Site, cpu_seconds

Key = tuple[str, int]
"""A server's name and the number of connections."""
Outcome = dict[str, Any]
"""What `benchmarks.load` prints."""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    seconds: float
    warm_up: float
    connections: tuple[int, ...]

    @property
    def runs(self) -> int:
        """How often each server is measured."""
        return self.rounds * len(self.connections)


@dataclass(frozen=True)
class Sample:
    """One server at one number of connections, in one round."""

    rate: float
    """Answers per second."""
    cpu: float
    """Microseconds of its processes per answer."""
    database_cpu: float
    """Microseconds of PostgreSQL per answer."""
    p50: float
    p99: float
    """Milliseconds."""
    load_share: float
    """How much of one core the clients took."""


WARMING_UP = Plan(1, 0.3, 0.3, (4,))


class Errors(Exception):
    """A server gave a wrong answer: its figures mean nothing."""


def measure(site: Site, plan: Plan, advance: Callable[[str], None]) -> dict[Key, list[Sample]]:
    """All samples; `advance` is told what was measured just now. Raises Errors."""
    samples: dict[Key, list[Sample]] = {}
    servers, first = list(site.servers.values()), count(1, 10_000_000)
    with _clients(site) as clients:
        for server in servers:
            clients(server, 4, WARMING_UP, next(first))  # both of its processes
        for number in range(plan.rounds):
            for connections in plan.connections:
                for server in _in_turn(servers, number):
                    found = _sample(site, server, partial(clients, server, connections, plan, next(first)))
                    samples.setdefault((server.name, connections), []).append(found)
                    advance(f"{server.name}, {connections} connections, round {number + 1}")
    return samples


def median(samples: list[Sample], value: Callable[[Sample], float]) -> float:
    return statistics.median(value(sample) for sample in samples)


def _in_turn(servers: list[Server], number: int) -> Iterator[Server]:
    """Another one begins in each round."""
    first = number % len(servers)
    yield from servers[first:] + servers[:first]


def _sample(site: Site, server: Server, load: Callable[[], Outcome]) -> Sample:
    before, database_before = server.cpu_seconds(), cpu_seconds(site.database)
    outcome = load()
    cpu, database_cpu = server.cpu_seconds() - before, cpu_seconds(site.database) - database_before
    if outcome["errors"] or outcome["answers"] < 2:
        raise Errors(f"{server.name}: {outcome['errors']} wrong or missing answers, {outcome['answers']} good ones.")
    total, cuts = outcome["all_answers"], statistics.quantiles(outcome["milliseconds"], n=100, method="inclusive")
    return Sample(
        rate=outcome["answers"] / outcome["seconds"],
        cpu=cpu / total * 1e6,
        database_cpu=database_cpu / total * 1e6,
        p50=cuts[49],
        p99=cuts[98],
        load_share=outcome["own_cpu_seconds"] / outcome["seconds"],
    )


@contextmanager
def _clients(site: Site) -> Iterator[Callable[[Server, int, Plan, int], Outcome]]:
    """The process of the clients; what is given sends to a server, over so many connections."""
    command = [sys.executable, "-m", "benchmarks.load"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        jobs, outcomes = process.stdin, process.stdout

        def load(server: Server, connections: int, plan: Plan, first: int) -> Outcome:
            job = {
                "user": USER,
                "password": site.password,
                "port": server.port,
                "connections": connections,
                "warm_up": plan.warm_up,
                "seconds": plan.seconds,
                "first": first,
            }
            jobs.write(json.dumps(job) + "\n")
            jobs.flush()
            line = outcomes.readline()
            if not line:
                raise Errors(f"{server.name}: the clients failed; see above.")
            outcome: Outcome = json.loads(line)
            return outcome

        yield load
