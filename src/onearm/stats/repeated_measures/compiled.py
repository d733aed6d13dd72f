"""The kernels compiled by numba, once per machine; without numba the same lines run in NumPy."""

from __future__ import annotations

from functools import cache
from typing import Any

from onearm.stats.repeated_measures import kernels


@cache
def compiled() -> Any:
    """Give the compiled entries; the first call on a machine compiles them and keeps them on disk."""
    import inspect

    import numba
    from numba.extending import register_jitable

    for _, function in inspect.getmembers(kernels, inspect.isfunction):
        if function.__module__ == kernels.__name__:
            register_jitable(function)
    return numba.njit(cache=True, nogil=True)(kernels.solve)
