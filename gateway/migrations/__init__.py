"""The steps by which the tables of an older gateway become those of this one; `gateway/migrate.py` runs them in order.

A change of gateway/model/ needs a new step. With GATEWAY_DATABASE_URL set to an up-to-date database,
`alembic revision --autogenerate -m "what it is for"` writes a draft into versions/, which is then read and tidied by
hand. A step that has been released is never changed.

Several nodes are upgraded one after the other, so for a while two releases use the same tables (docs/nodes.md). Most
steps therefore only *expand* (`floor = None`): the release before runs on as if nothing had happened. What it used
may be neither dropped nor renamed nor given another type, and new columns of old tables may be left out. Taking away
is a step of its own in a later release, which *contracts*: its `floor` names the oldest revision whose gateway needs
nothing of what it takes away. It waits until no older process is alive.
"""
