"""Figures drawn by a second process while the first one analyses and writes tables.

The same figures, byte for byte; only the waiting is shorter: importing the drawing library and
drawing take a third of a command's time.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context

from onearm.report.figures import Trajectories, load_library, paired_trajectories

#: Takes a figure's data and id prefix, gives a function that gives the SVG when it is needed.
Draw = Callable[[Trajectories, str], Callable[[], str]]


def here(data: Trajectories, prefix: str) -> Callable[[], str]:
    """Draw in this process, at the time the figure is needed."""
    return partial(paired_trajectories, data, prefix)


@contextmanager
def beside() -> Iterator[Draw]:
    """Draw in a second process, started now; in this one where a process cannot safely be forked."""
    if sys.platform != "linux" or threading.active_count() != 1:
        yield here
        return
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        pool.submit(load_library)

        def draw(data: Trajectories, prefix: str) -> Callable[[], str]:
            try:
                drawn = pool.submit(paired_trajectories, data, prefix)
            except BrokenProcessPool:
                return here(data, prefix)
            return partial(_drawn, drawn, data, prefix)

        yield draw


def _drawn(future: Future[str], data: Trajectories, prefix: str) -> str:
    try:
        return future.result()
    except BrokenProcessPool:  # the second process was ended from outside; nothing is lost
        return paired_trajectories(data, prefix)
