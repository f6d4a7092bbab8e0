"""Reconciliation (对账): what the gateway, HIS and the insurer have in their books is compared, day by day.

The rules are docs/specification/reconciliation.md. `running.py` is the way in; our own side is read in `ours.py`
alone, the other side comes from a file (`files.py`, `listing.py`) or from whoever can be asked (`asking.py`).
"""
