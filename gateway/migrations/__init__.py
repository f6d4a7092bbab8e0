"""The steps by which the tables of an older gateway become those of this one; `gateway/migrate.py` runs them in order.

A change of gateway/model/ needs a new step. With GATEWAY_DATABASE_URL set to an up-to-date database,
`alembic revision --autogenerate -m "what it is for"` writes a draft into versions/, which is then read and tidied by
hand. A step that has been released is never changed.
"""
