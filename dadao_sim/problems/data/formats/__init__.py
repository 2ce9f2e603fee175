"""Formats of data files; one is a function with ``@file_format`` in a file here."""

import pkgutil
from importlib import import_module

from dadao_sim.problems.data.formats.format import FORMATS as FORMATS
from dadao_sim.problems.data.formats.format import Asked as Asked
from dadao_sim.problems.data.formats.format import Column as Column
from dadao_sim.problems.data.formats.format import by_ending as by_ending

for _module in sorted(one.name for one in pkgutil.iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")
