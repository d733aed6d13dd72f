"""The hypotheses that live in the columns of a design: reference grids of LS means, and type III tests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onearm.stats.repeated_measures.frames import Floats
from onearm.stats.repeated_measures.terms import (
    Block,
    Model,
    block_columns,
    columns,
    evaluated,
    matrix,
)

if TYPE_CHECKING:
    from onearm.stats.repeated_measures.formula import Design


def reference_grid(
    design: Design,
    by: str | Sequence[str],
    at: Mapping[str, Any] | None = None,
    weights: str = "equal",
) -> tuple[dict[str, list[Any]], Floats]:
    """The linear combinations of coefficients whose values are the LS means of `by`.

    Parameters
    ----------
    by : variables of the formula; one row for each combination of their levels, the first variable changing fastest.
    at : values of a covariate, or the levels of a factor to which the grid is restricted; a number, a level or a list.
    weights : ``"equal"``: other factors are averaged with equal weights; ``"proportional"``: in proportion to the used
        rows in each combination of the levels averaged over.

    Returns
    -------
    The levels per row, one list per variable of `by`, and L (rows, p).

    Raises
    ------
    ValueError
        For a variable that is not in the formula, a covariate in `by` without values in `at`, an unknown level.

    Notes
    -----
    As R emmeans: covariates stand at their mean over the used rows, and a transform is that of the mean. Coefficients
    of a combination of levels without rows enter as any other; whether the mean is estimable is for the fit to say.
    """
    chosen = [by] if isinstance(by, str) else list(by)
    if weights not in ("equal", "proportional"):
        raise ValueError(f"weights={weights!r}; expected 'equal' or 'proportional'")
    at = dict(at or {})
    if len(set(chosen)) < len(chosen):
        raise ValueError(f"by={chosen!r} names a variable twice; expected each once")
    for name in (*chosen, *at):
        if name not in design.variables:
            raise ValueError(
                f"{name!r} is not a variable of {design.model.formula.text!r}; its variables are "
                f"{', '.join(design.variables) or 'none'}: correct the name"
            )
    for name in chosen:
        if name not in at and not isinstance(design.variables[name], tuple):
            raise ValueError(
                f"{name!r} is numeric and has no levels; say its values: at={{{name!r}: [...]}}"
            )
    grid = {name: grid_values(name, known, at) for name, known in design.variables.items()}
    rest = [name for name in grid if name not in chosen]
    order = [*reversed(chosen), *rest]
    sizes = [len(grid[name]) for name in order]
    index = dict(zip(order, np.indices(sizes).reshape(len(order), math.prod(sizes)), strict=True))
    points = {name: as_array(grid[name])[i] for name, i in index.items()}
    n = math.prod(sizes)
    rows = matrix(design.model, grid_parts(design.model, points), n)
    share = (
        shares(design, rest, grid)
        if weights == "proportional"
        else np.ones(math.prod(len(grid[name]) for name in rest))
    )
    share = share / share.sum()
    means = np.einsum(
        "gr,grp->gp",
        np.broadcast_to(share, (n // share.size, share.size)),
        rows.reshape(-1, share.size, rows.shape[1]),
    )
    labels = {name: points[name][:: share.size].tolist() for name in chosen}
    return labels, np.ascontiguousarray(means)


def as_array(values: Sequence[Any]) -> NDArray[Any]:
    """Values of one variable, numbers or labels, never mixed into text."""
    if all(isinstance(v, (int, float)) for v in values):
        return np.asarray(values)
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def grid_values(
    name: str, known: tuple[Any, ...] | float, at: Mapping[str, Any]
) -> tuple[Any, ...]:
    """The values at which a variable stands in the grid."""
    if name not in at:
        return known if isinstance(known, tuple) else (known,)
    given = at[name]
    values = tuple(given) if isinstance(given, (list, tuple, np.ndarray)) else (given,)
    if isinstance(known, tuple):
        for value in values:
            if value not in known:
                raise ValueError(
                    f"at: {name!r} has no level {value!r}; its levels are {', '.join(map(repr, known))}"
                )
        return values
    if not values or not all(
        isinstance(v, (int, float, np.number)) and np.isfinite(v) for v in values
    ):
        raise ValueError(
            f"at: {name!r} is numeric; found {given!r}; expected a finite number or a list of them"
        )
    return tuple(float(v) for v in values)


def grid_parts(model: Model, points: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """Each factor's codes or numbers at the points of a grid."""
    parts = []
    for factor, levels, state in zip(
        model.formula.factors, model.levels, model.states, strict=True
    ):
        if factor.column is not None:
            part = points[factor.column]
            part = (
                part.astype(np.float64)[:, None]
                if levels is None
                else np.array([levels.index(v) for v in part.tolist()])
            )
        else:
            part = evaluated(factor, {v: points[v] for v in factor.variables}, state)
            if levels is not None:
                part = np.array([levels.index(v) for v in part[:, 0].tolist()])
        parts.append(part)
    return parts


def shares(design: Design, names: Sequence[str], grid: Mapping[str, Sequence[Any]]) -> Floats:
    """Used rows in each combination of the factors averaged over; covariates at several values count alike."""
    factors = [name for name in names if name in design.codes]
    cells = np.zeros(design.y.size, dtype=np.int64)
    for name in factors:
        cells = cells * len(design.variables[name]) + design.codes[name]  # type: ignore[arg-type]
    sizes = [len(design.variables[name]) for name in factors]  # type: ignore[arg-type]
    count: NDArray[Any] = np.bincount(cells, minlength=math.prod(sizes)).reshape(sizes)
    for axis, name in enumerate(factors):
        known = design.variables[name]
        count = np.take(count, [known.index(v) for v in grid[name]], axis=axis)  # type: ignore[union-attr]
    for axis, name in enumerate(names):
        if name not in design.codes:
            count = np.repeat(np.expand_dims(count, axis), len(grid[name]), axis=axis)
    if not count.sum():
        raise ValueError(
            "at: no used row has these levels, so weights='proportional' has nothing to count; use 'equal'"
        )
    return count.reshape(-1).astype(np.float64)


def type3_hypotheses(design: Design) -> dict[str, Floats]:
    """The type III hypothesis of each term, as L (rows, p) with L beta = 0; it does not depend on the coding.

    The rows are the term's coefficients under sum-to-zero coding, written in the coefficients of the design: each
    margin is averaged with equal weights over the levels of the other factors, and covariates that interact with it
    stand at 0 (as ``car::Anova(type=3)`` and ``anova(type="marginal")`` with ``contr.sum``; centre a covariate to test
    at its mean). A factor that carries all its levels, in a model without intercept, is tested for all its means being
    0. The intercept is no term of this table.
    """
    model = design.model
    p = design.X.shape[1]
    where = block_columns(model)
    found = {
        model.formula.term_name(term): np.zeros((sum(len(where[b]) for b in blocks), p))
        for term, blocks in zip(model.formula.terms, model.blocks, strict=True)
        if term
    }
    numeric = [i for i, levels in enumerate(model.levels) if levels is None]
    groups: dict[frozenset[int], list[Block]] = {}
    for blocks in model.blocks:
        for block in blocks:
            groups.setdefault(frozenset(i for i, _ in block if i in numeric), []).append(block)
    for members in groups.values():
        change = sums_from_levels(model, members)
        spots = [c for block in members for c in where[block]]
        start = 0
        for block in members:
            rows = change[start : start + len(where[block])]
            start += len(where[block])
            name, offset = owner(model, block, where)
            if name:
                found[name][offset : offset + len(rows), spots] = rows
    return {name: L for name, L in found.items() if len(L)}


def owner(model: Model, block: Block, where: Mapping[Block, range]) -> tuple[str, int]:
    """The name of a block's term ("" for the intercept) and the row at which the block starts in it."""
    for term, blocks in zip(model.formula.terms, model.blocks, strict=True):
        if block in blocks:
            before = blocks[: blocks.index(block)]
            return (model.formula.term_name(term) if term else ""), sum(
                len(where[b]) for b in before
            )
    raise AssertionError(block)


def sums_from_levels(model: Model, blocks: Sequence[Block]) -> Floats:
    """Coefficients under sum-to-zero coding out of those under treatment coding, for blocks of the same covariates.

    Both codings span the same functions of the cells, so the matrix is found on the full grid of cells; a covariate of
    several columns counts as a factor that carries all of them.
    """
    present = sorted({i for block in blocks for i, _ in block})
    sizes = [model.widths[i] for i in present]
    index = np.indices(sizes).reshape(len(present), math.prod(sizes))
    parts: list[NDArray[Any]] = [np.zeros(0)] * len(model.widths)
    for i, codes in zip(present, index, strict=True):
        parts[i] = codes
    n = index.shape[1]
    sums = np.concatenate([columns(model, block, parts, n, sums=True) for block in blocks], axis=1)
    treatment = np.concatenate([columns(model, block, parts, n) for block in blocks], axis=1)
    change: Floats = np.linalg.lstsq(sums, treatment, rcond=None)[0]
    change[np.abs(change) < 1e-12] = 0.0
    return change
