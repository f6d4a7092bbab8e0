"""What all tables have in common: their names, how text, money and time are kept."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from sqlalchemy import DateTime, MetaData, Numeric, Text
from sqlalchemy.orm import DeclarativeBase

Money = Annotated[Decimal, "two decimal places, already rounded"]
Quantity = Annotated[Decimal, "four decimal places"]
Price = Annotated[Decimal, "six decimal places"]


class Base(DeclarativeBase):
    """The parent of every table; constraints have predictable names so that a migration can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        str: Text,
        datetime: DateTime(timezone=True),
        Money: Numeric(16, 2),
        Quantity: Numeric(16, 4),
        Price: Numeric(16, 6),
    }
