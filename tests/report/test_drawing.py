"""A figure drawn by the second process is the figure drawn by the first."""

from __future__ import annotations

import subprocess
import sys
import threading

from onearm.report.drawing import beside, here
from onearm.report.figures import Line, Trajectories

DATA = Trajectories(
    "Score",
    "points",
    "Before",
    "After",
    (Line("001", (-90, 90), (9.0, 3.0), 9.0, 3.0, "better"),),
    False,
    ((-90, "M-3"), (90, "M3")),
    None,
)
SCRIPT = """
import os, sys
sys.path.insert(0, {folder!r})
from onearm.report.drawing import beside, here
from test_drawing import DATA
with beside() as draw:
    assert draw is not here
    {act}
    sys.stdout.write(draw(DATA, "a")())
"""


def in_a_process_of_its_own(act: str = "pass") -> str:
    folder = __file__.rpartition("/")[0]
    script = SCRIPT.format(folder=folder, act=act)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    return done.stdout.decode()


def test_both_processes_draw_the_same_bytes() -> None:
    if sys.platform == "linux":
        assert in_a_process_of_its_own() == here(DATA, "a")()


END = (
    "import multiprocessing, signal, time; draw(DATA, 'b')(); "
    "[os.kill(c.pid, signal.SIGKILL) for c in multiprocessing.active_children()]; time.sleep(0.3)"
)


def test_a_second_process_that_is_ended_loses_no_figure() -> None:
    if sys.platform == "linux":
        assert in_a_process_of_its_own(END) == here(DATA, "a")()


def test_a_program_with_threads_draws_by_itself() -> None:
    stop = threading.Event()
    other = threading.Thread(target=stop.wait)
    other.start()
    try:
        with beside() as draw:
            assert draw is here
    finally:
        stop.set()
        other.join()
