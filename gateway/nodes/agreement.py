"""What must be the same on every node, as fingerprints that tell nothing of the settings themselves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from gateway.config import Settings
from gateway.security.secrets import Secrets

KEY = "secret.key"
OF_THE_NODE = frozenset({"folder", "node", "server", "delivery_workers", "database_url", "hl7"})
"""Settings that each node may choose by itself; all others must agree."""


def agreed_settings(settings: Settings, secrets: Secrets) -> dict[str, str]:
    """What it is -> its fingerprint. Without the same key nobody can tell what a fingerprint stands for.

    What is not set does not count, so that a release which knows more settings agrees with one that does not.
    """
    chosen = settings.model_dump(exclude=set(OF_THE_NODE), exclude_defaults=True)
    partners = {f"partner {one.pop('name')}": one for one in chosen.pop("partners", ())}
    facts = {KEY: secrets.fingerprint(KEY)}
    for what, value in sorted((chosen | partners).items()):
        facts[what] = secrets.fingerprint(json.dumps(value, default=_plain, sort_keys=True))
    return facts


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, BaseModel):
        return value.model_dump()
    return str(value)


def differences(nodes: Iterable[tuple[str, Mapping[str, str]]]) -> dict[str, list[str]]:
    """What does not agree -> the nodes it was found on; the key alone when that differs, since all follows from it."""
    values: dict[str, dict[str, set[str]]] = {}
    every = list(nodes)
    for what in {what for _, facts in every for what in facts}:
        for node, facts in every:
            values.setdefault(what, {}).setdefault(facts.get(what, ""), set()).add(node)
    differing = {what: sorted(set().union(*found.values())) for what, found in values.items() if len(found) > 1}
    return {KEY: differing[KEY]} if KEY in differing else dict(sorted(differing.items()))
