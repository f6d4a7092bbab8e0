"""What Alembic runs for every migration: on the connection that gateway/migrate.py gives, or by hand on a URL."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection, create_engine, pool

from gateway.migrate import MIGRATION_OPTIONS, metadata


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata(), **MIGRATION_OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


_given = context.config.attributes.get("connection")
if _given is not None:
    _run(_given)
else:
    _engine = create_engine(os.environ["GATEWAY_DATABASE_URL"], poolclass=pool.NullPool, hide_parameters=True)
    with _engine.connect() as _connection:
        _run(_connection)
