"""The longitudinal model: time beside R mmrm, nlme::gls and statsmodels, its growth, its memory, its first call.

Run: python benchmarks/mmrm.py [--picture docs/pictures/mmrm-growth.svg] [--page docs/validation/mmrm-speed.md]

From a pandas frame to the table of coefficients and to the means at each visit; unstructured covariance,
restricted likelihood. CPU milliseconds of one call on one thread, the smallest of several, all programs in
this one run on the same simulated data (R's are timed inside R by mmrm.R), so that the load of the machine
does not decide the ratio. Where R mmrm is not installed, its times measured earlier on other simulated data of the
same size stand beside, labelled so; nlme::gls, timed then and now, is the bridge between the two runs.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
SIZES = [(n, m) for m in (4, 8) for n in (9, 200, 1_000, 10_000)]
BARS = {(9, 4): 40, (200, 4): 80, (1_000, 4): 150, (1_000, 8): 400, (10_000, 8): 900}
SATTERTHWAITE_BAR = 20
FALLBACKS = ("us", "adh", "ar1h", "csh", "cs")

# CPU seconds of R mmrm 0.3.18 (R 4.2.2), fit + summary, 22 November 2026, unmodified, on a machine of this kind:
# Satterthwaite, Kenward-Roger, and what the means by emmeans took on top.
MMRM_THEN = {
    (9, 4): (0.022, 0.044, 0.052),
    (200, 4): (0.064, 0.112, 0.050),
    (1_000, 4): (0.226, 0.380, 0.054),
    (10_000, 4): (3.84, 4.67, 0.080),
    (200, 8): (0.230, 1.96, 0.46),
    (1_000, 8): (1.38, 7.7, 0.56),
    (10_000, 8): (13.1, 70.2, 0.55),
}
GLS_THEN = {(9, 4): 0.19, (200, 8): 18.0}
GLS_SIZES = [(9, 4), (200, 4), (1_000, 4), (200, 8)]
INTERCEPT_SIZES = [(9, 4), (200, 4), (1_000, 4), (10_000, 4), (200, 8), (1_000, 8)]
BY_VISIT_SIZES = [(9, 4), (200, 4)]

Size = tuple[int, int]


class Row(NamedTuple):
    """One size: patterns of visits, milliseconds by what was asked, log-likelihood."""

    patterns: int
    satterthwaite: float
    kenward_roger: float
    means: float
    loglik: float


def simulate(patients: int, visits: int, dropout: float = 0.12, gaps: float = 0.035) -> Any:
    """Return a simulated single arm: changes that level off, unequal variances, dropout, missed visits.

    ``dropout`` is the chance to leave before the end, ``gaps`` that of missing one visit.
    """
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng([20181230, patients, visits])
    at = np.arange(visits)
    sd = np.linspace(6, 9, visits)
    covariance = np.outer(sd, sd) * 0.75 ** (np.abs(at[:, None] - at) ** 0.7)
    base = np.round(rng.normal(24, 6, patients), 1)
    male = rng.integers(0, 2, patients)
    mean = -0.35 * (base[:, None] - 24) + 1.2 * male[:, None] - 6 * (1 - np.exp(-(at + 1) / 2))
    change = mean + rng.normal(size=(patients, visits)) @ np.linalg.cholesky(covariance).T
    lost = np.maximum.accumulate(rng.random(change.shape) < dropout / visits, axis=1)
    lost[:, 0] = False
    lost |= rng.random(change.shape) < gaps
    change[lost] = np.nan
    frame = pd.DataFrame(
        {
            "USUBJID": np.repeat([f"S{i:06d}" for i in range(patients)], visits),
            "AVISIT": np.tile([f"V{v + 1:02d}" for v in at], patients),
            "SEX": np.repeat(np.where(male == 1, "M", "F"), visits),
            "BASE": np.repeat(base, visits),
            "CHG": change.ravel(),
        }
    )
    return frame.dropna(ignore_index=True)


def fixed(patients: int) -> str:
    """Return the fixed effects; nine patients cannot bear one covariate more (R mmrm fails with it)."""
    return "CHG ~ BASE + AVISIT" if patients < 20 else "CHG ~ BASE + SEX + AVISIT"


def fit(frame: Any, formula: str, **how: Any) -> Any:
    """Fit the model to a frame."""
    from onearm.stats import mmrm

    with warnings.catch_warnings():  # nine patients have few degrees of freedom, and it says so
        warnings.simplefilter("ignore")
        return mmrm(formula, frame, subject="USUBJID", visit="AVISIT", **how)


def fastest(call: Callable[[], object], seconds: float = 1.0) -> float:
    """Return the smallest CPU time of one call in milliseconds; at least one call is made."""
    best, spent = math.inf, 0.0
    while spent < seconds:
        start = time.process_time()
        call()
        took = time.process_time() - start
        best, spent = min(best, took), spent + max(took, 1e-6)
    return 1000 * best


def ours(frame: Any, formula: str, **how: Any) -> Row:
    """Time the fit with each of its results."""
    found = fit(frame, formula, **how)
    return Row(
        len(found.blocks),
        fastest(lambda: fit(frame, formula, df="satterthwaite", **how).table()),
        fastest(lambda: fit(frame, formula, **how).table()),
        fastest(lambda: (lambda f: (f.table(), f.lsmeans("AVISIT")))(fit(frame, formula, **how))),
        found.loglik,
    )


def ask_r(questions: Sequence[tuple[str, Size, Path, float]]) -> tuple[str, dict[Any, Any]]:
    """Return what R is, and (milliseconds, log-likelihood) or a word, by peer and size."""
    if shutil.which("Rscript") is None:
        return "R is absent", {}
    lines = [
        f"{peer}\t{n}x{m}\t{file}\t{fixed(n)}\t{limit}" for peer, (n, m), file, limit in questions
    ]
    done = subprocess.run(
        ["Rscript", "--vanilla", str(Path(__file__).with_suffix(".R"))],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    said, *rest = done.stdout.splitlines()
    answers: dict[Any, Any] = {}
    for line in rest:
        peer, size, *found = line.split("\t")
        n, m = map(int, size.split("x"))
        answers[peer, (n, m)] = (
            (1000 * float(found[0]), float(found[1])) if len(found) == 2 else found[0]
        )
    return said.removeprefix("# ").strip(), answers


def of_statsmodels(frame: Any, formula: str, by_visit: bool) -> tuple[float, str]:
    """Return the milliseconds of MixedLM's fit, and a word where it did not converge."""
    import statsmodels.formula.api as smf

    effects = "0 + AVISIT" if by_visit else "1"
    converged = []

    def call() -> None:
        model = smf.mixedlm(formula, frame, groups="USUBJID", re_formula=effects)
        result = model.fit(reml=True)
        _ = result.bse, result.pvalues
        converged.append(result.converged)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        took = fastest(call)
    return took, "" if converged[-1] else "*"


def shown(ms: float | None, width: int = 9) -> str:
    """Return milliseconds, a dash where there are none."""
    return (
        f"{'-':>{width}}"
        if ms is None
        else f"{ms:>{width},.3g}"
        if ms < 1000
        else f"{ms:>{width},.0f}"
    )


def verdict(what: str, bar: float, measured: float, where: str = "") -> None:
    """Print a bar and what was measured."""
    word = "reached" if measured >= bar else "NOT reached"
    print(f"  {what}: at least {bar:,.0f} times; {measured:,.1f}{where}: {word}")


def beside_peers(folder: Path) -> dict[Size, tuple[Row, dict[str, Any]]]:
    """Time every program at every size, and print the tables."""
    frames = {size: simulate(*size) for size in SIZES}
    files = {(n, m): folder / f"{n}x{m}.csv" for n, m in SIZES}
    for size, frame in frames.items():
        frame.to_csv(files[size], index=False)
    measured = [size for size in SIZES if size != (9, 8)]
    rows = {(n, m): ours(frames[n, m], fixed(n)) for n, m in measured}
    asked = [("gls", size, files[size], 60.0) for size in GLS_SIZES]
    asked += [
        (peer, size, files[size], 120.0)
        for size in measured
        for peer in ("satterthwaite", "kenward_roger", "means")
    ]
    said, r = ask_r(asked)
    print(f"\n{said}; statsmodels {version('statsmodels')}")
    print(
        "\nCPU milliseconds from a pandas frame. onearm: table under Satterthwaite; under Kenward-Roger; that and"
    )
    print(
        "the means at each visit. gls: nlme, no small-sample inference. MixedLM: no small-sample inference and"
    )
    print(
        "another model: a random intercept; a random effect of each visit (* it says that it has not converged)"
    )
    print(
        f"{'patients':>8}{'visits':>7}{'patterns':>9}{'Satt.':>9}{'K-R':>9}{'+ means':>9}", end=""
    )
    print(f"{'gls':>9}{'/ K-R':>7}{'intercept':>10}{'/ K-R':>7}{'by visit':>10}{'/ K-R':>7}")
    gaps, all_peers = [], {}
    for (n, m), row in rows.items():
        peers: dict[str, Any] = {}
        gls = r.get(("gls", (n, m)))
        if isinstance(gls, tuple):
            peers["gls"] = gls[0], ""
            gaps.append(gls[1] - row.loglik)
        if (n, m) in INTERCEPT_SIZES:
            peers["intercept"] = of_statsmodels(frames[n, m], fixed(n), by_visit=False)
        if (n, m) in BY_VISIT_SIZES:
            peers["by visit"] = of_statsmodels(frames[n, m], fixed(n), by_visit=True)
        print(f"{n:>8,}{m:>7}{row.patterns:>9}" + "".join(map(shown, row[1:4])), end="")
        for name, width in (("gls", 9), ("intercept", 10), ("by visit", 10)):
            ms, mark = peers.get(name, (None, ""))
            ratio = "-" if ms is None else f"{ms / row.kenward_roger:,.0f}"
            print(f"{(shown(ms).strip() + mark):>{width}}{ratio:>7}", end="")
        print()
        all_peers[n, m] = peers
    if gaps:
        print(f"  log-likelihood of gls less ours: {min(gaps):.1e} to {max(gaps):.1e}")
    if any(isinstance(r.get(("kenward_roger", size)), tuple) for size in measured):
        mmrm_now(rows, r)
    else:
        mmrm_then(rows, r)
    fallback(frames[9, 8])
    return {size: (row, all_peers[size]) for size, row in rows.items()}


def mmrm_now(rows: dict[Size, Row], r: dict[Any, Any]) -> None:
    """Print R mmrm's times in this run, with the bars."""
    print("\nR mmrm, measured in this run; ratio to onearm")
    print(
        f"{'patients':>8}{'visits':>7}{'Satt.':>9}{'ratio':>7}{'K-R':>9}{'ratio':>7}{'+ means':>9}{'ratio':>7}"
    )
    for (n, m), row in rows.items():
        answers = [r.get((peer, (n, m))) for peer in ("satterthwaite", "kenward_roger", "means")]
        cells = [
            f"{shown(a[0])}{a[0] / own:>7,.0f}" if isinstance(a, tuple) else f"{a!s:>9}{'-':>7}"
            for a, own in zip(answers, row[1:4], strict=True)
        ]
        print(f"{n:>8,}{m:>7}" + "".join(cells))
    for size, row in rows.items():
        name = f"{size[0]:,} x {size[1]}"
        satterthwaite, kr = r.get(("satterthwaite", size)), r.get(("kenward_roger", size))
        if size in BARS and isinstance(kr, tuple):
            verdict(f"Kenward-Roger, {name}", BARS[size], kr[0] / row.kenward_roger)
        if isinstance(satterthwaite, tuple):
            verdict(
                f"Satterthwaite, {name}", SATTERTHWAITE_BAR, satterthwaite[0] / row.satterthwaite
            )


def mmrm_then(rows: dict[Size, Row], r: dict[Any, Any]) -> None:
    """Print R mmrm's earlier times, how gls compares between then and now, and the bars."""
    print(
        "\nR mmrm is NOT installed here and was NOT measured in this run. Its earlier times (mmrm 0.3.18, R 4.2.2,"
    )
    print(
        "22 November 2026, other simulated data of the same size, a machine of the same kind), CPU milliseconds,"
    )
    print(
        "and their ratio to onearm now. The ratio is an estimate: the two sides did not run together."
    )
    print(
        f"{'patients':>8}{'visits':>7}{'Satt.':>9}{'ratio':>7}{'K-R':>9}{'ratio':>7}{'+ means':>9}{'ratio':>7}"
    )
    for (n, m), row in rows.items():
        satterthwaite, kr, extra = (1000 * s for s in MMRM_THEN[n, m])
        print(f"{n:>8,}{m:>7}", end="")
        for theirs, own in zip((satterthwaite, kr, kr + extra), row[1:4], strict=True):
            print(f"{shown(theirs)}{theirs / own:>7,.0f}", end="")
        print()
    for size, then in GLS_THEN.items():
        now = r.get(("gls", size))
        if isinstance(now, tuple):
            print(
                f"  the bridge, gls at {size[0]} x {size[1]}: {then:.3g} s then, {now[0] / 1000:.3g} s now "
                f"({now[0] / 1000 / then:.2f} times)"
            )
    for size, bar in BARS.items():
        estimate = 1000 * MMRM_THEN[size][1] / rows[size].kenward_roger
        verdict(f"Kenward-Roger, {size[0]:,} x {size[1]}", bar, estimate, " by the earlier times")
    for size, row in rows.items():
        estimate = 1000 * MMRM_THEN[size][0] / row.satterthwaite
        name = f"Satterthwaite, {size[0]:,} x {size[1]}"
        verdict(name, SATTERTHWAITE_BAR, estimate, " by the earlier times")


def fallback(frame: Any) -> None:
    """Print what becomes of nine patients and eight visits: unstructured is refused, the list goes on."""
    found = fit(frame, fixed(9), covariance=FALLBACKS)
    took = fastest(lambda: fit(frame, fixed(9), covariance=FALLBACKS).table())
    print(
        "\n9 patients x 8 visits: 36 covariance parameters are more than the data determine; the list of fallbacks"
    )
    for attempt in found.attempts:
        print(
            f"  {attempt.covariance:5} {'fitted' if attempt.converged else attempt.reason.split(':')[0]}"
        )
    print(f"  {took:.3g} ms for the whole list, to the Kenward-Roger table")


def batch() -> None:
    """Print fits per second of thousands of small data sets."""
    import numpy as np

    from onearm.stats import mmrm_batch

    print(
        "\nBatch of simulated data sets x 4 visits, 10 % missing, Kenward-Roger of the mean at each visit"
    )
    print(f"{'patients':>8}{'threads':>9}{'fits/s, wall':>14}{'CPU ms a fit':>14}{'converged':>11}")
    rng = np.random.default_rng(20181230)
    rates = {}
    for n in (9, 20, 50):
        y = rng.normal(size=(4_000, n, 4)) + rng.normal(size=(4_000, n, 1))
        left = rng.random(y.shape) < 0.05
        left[:, :, 0] = False
        y[np.maximum.accumulate(left, axis=2)] = np.nan
        base = rng.normal(size=n) - 0.0
        x = np.zeros((n, 4, 5))
        x[:, :, :4] = np.eye(4)
        x[:, :, 4] = (base - base.mean())[:, None]
        for threads in (1, 2):
            mmrm_batch(y[:8], x, threads=threads)
            wall, cpu, share = math.inf, math.inf, 0.0
            for _ in range(3):
                began, began_cpu = time.perf_counter(), time.process_time()
                found = mmrm_batch(y, x, threads=threads)
                wall = min(wall, time.perf_counter() - began)
                cpu = min(cpu, time.process_time() - began_cpu)
                share = float(found.converged.mean())
            rates[n, threads] = len(y) / wall
            print(
                f"{n:>8}{threads:>9}{len(y) / wall:>14,.0f}{1000 * cpu / len(y):>14.3f}{share:>11.1%}"
            )
    word = "reached" if rates[9, 2] >= 5_000 else "NOT reached"
    print(f"  9 x 4 on two threads: at least 5,000 fits/s; {rates[9, 2]:,.0f}: {word}")
    print(
        "  (wall time: other work on the machine takes its share; two processors of one's own: 2,000 / CPU ms)"
    )


def child(*question: str, **environment: str) -> dict[str, float]:
    """Ask this script a question in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--answer", *question],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def answer_first_call() -> dict[str, float]:
    """Seconds of CPU: loading onearm.stats, the first fit, the next one; the first without numba."""
    frame = simulate(9, 4)
    found, last = {}, time.process_time()
    for name, how in (
        ("import", None),
        ("plain", {"compiled": False}),
        ("first", {}),
        ("next", {}),
    ):
        if how is None:
            import onearm.stats  # noqa: F401
        else:
            fit(frame, fixed(9), **how).table()
        now = time.process_time()
        found[name], last = now - last, now
    return found


def first_call(folder: Path) -> None:
    """Print what the first fit costs on a machine, in a process, and without numba."""
    cache = str(folder / "numba")
    fresh, cached = (child("first_call", NUMBA_CACHE_DIR=cache) for _ in range(2))
    print("\nThe first fit (9 x 4), CPU seconds")
    print(f"  import onearm.stats                            {cached['import']:7.2f}")
    print(
        f"  first fit of a process without numba           {cached['plain']:7.2f}  (and its other imports)"
    )
    print(
        f"  first compiled fit on a machine                {fresh['first']:7.2f}  (compiles, keeps it on disk)"
    )
    print(f"  first compiled fit of a process, from the disk {cached['first']:7.2f}")
    print(f"  every other                                    {cached['next']:7.4f}")


def peak() -> float:
    """Return the highest resident memory since :func:`forget_peak`, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def forget_peak() -> float:
    """Begin to measure the highest resident memory anew, and return the present one in MB (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def answer_memory(patients: str) -> dict[str, float]:
    """Growth of resident memory in MB during a fit, and during one with the empirical covariance."""
    fit(simulate(50, 4), fixed(50)).table()
    fit(simulate(50, 4), fixed(50), vcov="CR2").table()
    frame = simulate(int(patients), 4)
    found = {"frame": float(frame.memory_usage(deep=True).sum()) / 2**20}
    for name, how in (("fit", {}), ("CR2", {"vcov": "CR2"})):
        before = forget_peak()
        fit(frame, fixed(100), **how).table()
        found[name] = peak() - before
    return found


def memory() -> None:
    """Print how memory grows with the patients."""
    if not Path("/proc/self/clear_refs").exists():
        print("\nMemory: not measured (needs Linux)")
        return
    print(
        "\nMemory, x 4 visits: MB of the frame, and growth of the process while it fits (Kenward-Roger table), and"
    )
    print("with the empirical covariance CR2 (Satterthwaite)")
    print(f"{'patients':>9}{'frame':>8}{'fit':>8}{'CR2':>8}")
    found = {}
    for n in (1_000, 10_000, 100_000):
        found[n] = child("memory", str(n))
        print(f"{n:>9,}" + "".join(f"{found[n][name]:>8.1f}" for name in ("frame", "fit", "CR2")))
    for name in ("fit", "CR2"):
        few, many = (found[n][name] for n in (10_000, 100_000))
        power = math.log10(many / few)
        word = "linear" if power <= 1.1 else "NOT linear"
        print(
            f"  {name}: {(many - few) / 90:.2f} MB for each 1,000 patients more, as patients to the {power:.2f} "
            f"from 10,000 to 100,000: {word}"
        )


def slope(sizes: Sequence[float], times: Sequence[float]) -> float:
    """Return the power of the size as which the time grows, by least squares on logarithms."""
    import numpy as np

    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def growth() -> dict[str, tuple[list[float], list[float]]]:
    """Time the Kenward-Roger table along patients, visits and patterns; say how it grows."""
    patients = [100, 300, 1_000, 3_000, 10_000, 30_000, 100_000]
    visits = [3, 4, 5, 6, 8, 10, 12]
    curves: dict[str, tuple[list[float], list[float]]] = {}

    def time_of(frame: Any) -> tuple[int, float]:
        found = fit(frame, fixed(100))
        return len(found.blocks), fastest(lambda: fit(frame, fixed(100)).table(), 0.4)

    curves["patients"] = list(patients), [time_of(simulate(n, 4))[1] for n in patients]
    curves["visits"] = list(visits), [time_of(simulate(1_000, m))[1] for m in visits]
    gaps = (0.0, 0.0005, 0.003, 0.02, 0.1, 0.4)
    several = [time_of(simulate(2_000, 8, dropout=0.0, gaps=g)) for g in gaps]
    curves["patterns"] = [float(k) for k, _ in several], [ms for _, ms in several]
    print("\nGrowth of the time to the Kenward-Roger table, CPU milliseconds")
    for name, (sizes, times) in curves.items():
        print(f"  {name:9}" + "".join(f"{size:>10,.0f}" for size in sizes))
        print(f"  {'':9}" + "".join(shown(ms, 10) for ms in times))
    n, ms = curves["patients"]
    print(
        f"  patients (x 4 visits): to the {slope(n[:3], ms[:3]):.2f} up to 1,000, "
        f"{slope(n[4:], ms[4:]):.2f} beyond 10,000"
    )
    n, ms = curves["visits"]
    print(
        f"  visits (1,000 patients): to the {slope(n[:4], ms[:4]):.2f} up to 6, {slope(n[3:], ms[3:]):.2f} from 6 to 12"
    )
    n, ms = curves["patterns"]
    print(f"  patterns of visits (2,000 patients x 8): to the {slope(n, ms):.2f}")
    return curves


def draw(
    path: Path,
    curves: dict[str, tuple[list[float], list[float]]],
    rows: dict[Size, tuple[Row, dict[str, Any]]],
) -> None:
    """Draw the growth along patients, visits and patterns, with the peers measured in the same run."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style = {
        "svg.hashsalt": "onearm",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(10, 3.4), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots(1, 3, sharey=True)
        labels = {
            "patients": "patients (4 visits)",
            "visits": "visits (1,000 patients)",
            "patterns": "patterns of visits (2,000 patients, 8 visits)",
        }
        for ax, (name, (sizes, times)) in zip(axes, curves.items(), strict=True):
            ax.loglog(sizes, times, "-o", color="#0072B2", markersize=4)
            ax.set_xlabel(labels[name])
            ax.grid(True, which="major", color="#e6e6e6", linewidth=0.6)
        marks = (
            ("gls", "s", "#D55E00", "nlme::gls", (-6, 3), "right"),
            ("intercept", "^", "#555555", "MixedLM, random\nintercept", (8, -10), "left"),
        )
        for name, mark, colour, label, shift, side in marks:
            points = [(n, p[name][0]) for (n, m), (_, p) in rows.items() if m == 4 and name in p]
            if points:
                axes[0].plot(
                    *zip(*points, strict=True),
                    "--",
                    marker=mark,
                    color=colour,
                    markersize=4,
                    lw=0.8,
                )
                axes[0].annotate(
                    label, points[-2], shift, textcoords="offset points", color=colour, ha=side
                )
        axes[0].annotate(
            "onearm,\nKenward-Roger",
            (curves["patients"][0][2], curves["patients"][1][2]),
            (6, -22),
            textcoords="offset points",
            color="#0072B2",
        )
        axes[0].set_ylim(bottom=1)
        axes[0].set_ylabel("CPU time, milliseconds")
        axes[0].yaxis.set_major_formatter("{x:,.0f}")
        for ax in axes:
            ax.xaxis.set_major_formatter("{x:,.0f}")
        axes[1].set_xticks([3, 4, 6, 8, 12])
        axes[1].minorticks_off()
        figure.savefig(path, metadata={"Date": None})


class Both(io.TextIOBase):
    """Text that goes to two places."""

    def __init__(self, *places: Any):
        self.places = places

    def write(self, text: str) -> int:
        """Write to each."""
        for place in self.places:
            place.write(text)
            place.flush()
        return len(text)


def write_page(page: Path, told: str) -> None:
    """Put what this run told in place of what an earlier run told on the page."""
    before, _, rest = page.read_text(encoding="utf-8").partition("```text\n")
    _, _, after = rest.partition("\n```\n")
    page.write_text(f"{before}```text\n{told.strip()}\n```\n{after}", encoding="utf-8")


def processor() -> str:
    """Return the processor's name where the system tells it."""
    told = Path("/proc/cpuinfo")
    names = told.read_text().split("model name") if told.exists() else []
    return names[1].split("\n")[0].strip(" \t:") if len(names) > 1 else platform.machine()


def report(picture: Path | None) -> None:
    """Print the tables; draw the picture where asked."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "pandas"))
    print(
        f"{time.strftime('%d %B %Y', time.gmtime())}; {os.cpu_count()} processors, {processor()}",
        end="",
    )
    if hasattr(os, "getloadavg"):
        print(f"; other work running at the start: {os.getloadavg()[0]:.1f} processors", end="")
    print(f"\nPython {platform.python_version()}, {packages}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = beside_peers(folder)
        batch()
        first_call(folder)
    memory()
    curves = growth()
    if picture:
        draw(picture, curves, rows)


def main() -> None:
    """Print the tables; draw the picture where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--picture", type=Path, help="also draw the growth into this SVG file")
    parser.add_argument("--page", type=Path, help="also put the tables into this page")
    parser.add_argument("--answer", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.answer:
        name, *words = asked.answer
        answers = {"first_call": answer_first_call, "memory": answer_memory}
        print(json.dumps(answers[name](*words)))
        return
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":  # read when NumPy is loaded: begin again
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ONE_THREAD})
    told = io.StringIO()
    with contextlib.redirect_stdout(Both(sys.stdout, told)):
        report(asked.picture)
    if asked.page:
        write_page(asked.page, told.getvalue())


if __name__ == "__main__":
    main()
