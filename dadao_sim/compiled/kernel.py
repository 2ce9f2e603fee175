"""The one way to compile: ``@kernel`` is ``numba.njit`` with a cache that never serves old code."""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

from dadao_sim.compiled.cache import KernelCache, cache_folder, is_ours

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile ``function`` in nopython mode; what is of this package is kept on disk.

    A user's own functions, and ours for a user's own types, are compiled in each process: see
    :mod:`dadao_sim.compiled.cache`.
    """
    compiled: Any = numba.njit(error_model="numpy", nogil=True)(function)
    config: Any = numba.config
    if not config.DISABLE_JIT and is_ours(function):  # else it is the function itself
        folder = cache_folder()
        if folder is not None:
            compiled._cache = KernelCache(function, folder)
    return compiled
