"""Imports Spyne 2.14, which is older than the Python it runs on; every other module takes Spyne's names from here.

Spyne carries a copy of `six` from 2020 whose import hook Python 3.12 no longer asks, and which makes Python 3.11 warn
at every later import. So `spyne.util.six.moves` is served by the present `six`, and the old hook is taken away again.
Python 3.13 has no module `cgi`, which Spyne needs; the package legacy-cgi brings it back. Spyne's loggers are off: they
write whole messages, with the patient in them, whenever something is wrong.
"""

from __future__ import annotations

import importlib
import logging
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_OLD_SIX = "spyne.util.six"
_MOVES = f"{_OLD_SIX}.moves"


class _Moves(MetaPathFinder, Loader):
    """Finds spyne.util.six.moves and what is below it, and loads six.moves instead."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == _MOVES or fullname.startswith(f"{_MOVES}."):
            return ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return importlib.import_module(spec.name.removeprefix("spyne.util."))

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to do: the module is six's own."""


def _silence() -> None:
    logger = logging.getLogger("spyne")
    logger.setLevel(logging.CRITICAL + 1)
    logger.addHandler(logging.NullHandler())
    logger.propagate = False


def _remove_old_hook() -> None:
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != _OLD_SIX]


_silence()
if not any(isinstance(finder, _Moves) for finder in sys.meta_path):
    sys.meta_path.append(_Moves())
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of Spyne's own source: nobody here can mend it
    from spyne import Application, MethodContext, Service, rpc
    from spyne.error import Fault
    from spyne.model.binary import ByteArray
    from spyne.model.complex import ComplexModel, TypeInfo
    from spyne.model.primitive import AnyUri, Boolean, Date, DateTime, Decimal, Integer32, Unicode
    from spyne.protocol.soap import Soap11, Soap12
    from spyne.server import ServerBase
_remove_old_hook()

__all__ = [
    "AnyUri",
    "Application",
    "Boolean",
    "ByteArray",
    "ComplexModel",
    "Date",
    "DateTime",
    "Decimal",
    "Fault",
    "Integer32",
    "MethodContext",
    "ServerBase",
    "Service",
    "Soap11",
    "Soap12",
    "TypeInfo",
    "Unicode",
    "rpc",
]
