"""The kernels compiled by numba, once per machine; without numba the same lines run in NumPy."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from onearm.stats.repeated_measures import kernels, triangles

# Products of fewer multiplications than this are loops: calling BLAS would cost more, and its lock
# would make threads wait for each other.
SMALL_PRODUCT = 5_000


class Engine(NamedTuple):
    """The functions that do the arithmetic: in NumPy, or compiled."""

    solve: Callable[..., None] = kernels.solve
    distinct: Callable[..., Any] = triangles.distinct
    gram_schmidt: Callable[..., Any] = triangles.gram_schmidt
    by_visit: Callable[..., Any] = triangles.by_visit


@cache
def compiled() -> Engine:
    """Give the engine compiled, or as it stands where numba cannot be imported.

    The first call on a machine compiles it and keeps it on disk, where a folder can be written.
    As in NumPy, a division by zero gives an infinity.
    """
    try:
        import numba
        from numba.extending import overload, register_jitable
    except ImportError:
        return Engine()
    for _, function in inspect.getmembers(kernels, inspect.isfunction):
        if function.__module__ == kernels.__name__ and function is not kernels.multiply_into:
            register_jitable(error_model="numpy")(function)
    overload(kernels.multiply_into, jit_options={"error_model": "numpy"})(_multiply_into)
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return Engine(*(numba.njit(cache=True, **options)(function) for function in Engine()))
    except RuntimeError:  # no folder to keep it in can be written
        return Engine(*(numba.njit(**options)(function) for function in Engine()))


def _multiply_into(a: Any, b: Any, out: Any) -> Any:
    """How numba compiles :func:`.kernels.multiply_into`."""

    def either(a: Any, b: Any, out: Any) -> None:
        n, k = a.shape
        m = b.shape[1]
        if n * k * m > SMALL_PRODUCT:
            np.dot(a, b, out)
            return
        for i in range(n):
            for j in range(m):
                out[i, j] = 0.0
            for l in range(k):  # noqa: E741
                factor = a[i, l]
                if factor != 0.0:  # derivatives of a covariance are mostly zeros
                    for j in range(m):
                        out[i, j] += factor * b[l, j]

    return either
