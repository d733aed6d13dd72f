"""The kernels compiled by numba, once per machine; without numba the same lines run in NumPy."""

from __future__ import annotations

from functools import cache
from typing import Any

from onearm.stats.repeated_measures import kernels


@cache
def compiled() -> Any:
    """Give :func:`.kernels.solve` compiled, or as it stands where numba cannot be imported.

    The first call on a machine compiles it and keeps it on disk, where a folder can be written.
    As in NumPy, a division by zero gives an infinity.
    """
    import inspect

    try:
        import numba
        from numba.extending import register_jitable
    except ImportError:
        return kernels.solve
    for _, function in inspect.getmembers(kernels, inspect.isfunction):
        if function.__module__ == kernels.__name__:
            register_jitable(error_model="numpy")(function)
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(kernels.solve)
    except RuntimeError:  # no folder to keep it in can be written
        return numba.njit(**options)(kernels.solve)
