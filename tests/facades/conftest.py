"""A gateway with facades, as `gateway serve` puts it together, on a real database and behind real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from facade_site import Site
from sqlalchemy import Engine


@pytest.fixture(scope="session")
def site_cache(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Site]]:
    """Each site is started once."""
    made: dict[str, Site] = {}

    def make(*sets: str, **changes: object) -> Site:
        key = repr((sets, sorted(changes.items())))
        if key not in made:
            made[key] = Site(engine, tmp_path_factory.mktemp("site"), sets, changes)
        return made[key]

    yield make
    for site in made.values():
        site.close()


@pytest.fixture
def site_of(site_cache: Callable[..., Site]) -> Callable[..., Site]:
    """A site of ready-made sets, to which no message has come yet: site_of("request-header-body", charset="gbk")."""

    def make(*sets: str, **changes: object) -> Site:
        site = site_cache(*sets, **changes)
        site.empty()
        return site

    return make
