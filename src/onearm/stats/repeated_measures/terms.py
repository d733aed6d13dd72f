"""A formula's terms: parsed from text, and coded into columns with R's order and R's names.

Formulas are parsed by formulaic, its transforms (``center``, ``scale``, ``poly``, ``bs``, ``log``, NumPy's elementary
functions) are evaluated by formulaic with their state kept. A formula reaches columns of the frame and these functions
only: no Python variable of the caller, no attribute, no other call.

Coding is treatment coding with the first level as reference. A term whose margins stand in the model gets one column
less per factor; a term that lacks a margin gets the columns that span it, so that the matrix is of full column rank
whenever every combination of levels occurs. These are R's columns wherever R's are of full rank and span the model; R
itself writes more than the rank for ``a:b`` with an intercept, and leaves cells out for ``0 + x:b + a:b``.
"""

from __future__ import annotations

import ast
import functools
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onearm.stats.repeated_measures.frames import Codes, Floats

MANY_ROWS = 5_000  # from here on columns of factors are cheaper copied from a table of cells

# fmt: off
TRANSFORMS = ("I", "bs", "center", "exp", "exp2", "log", "log10", "log2", "poly", "scale", "standardize")
NUMPY = (
    "abs", "arctan", "ceil", "cos", "cosh", "exp", "exp2", "expm1", "floor", "log", "log10", "log1p", "log2",
    "maximum", "minimum", "power", "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh", "where",
)
# fmt: on
SYNTAX = (
    *(ast.BinOp, ast.UnaryOp, ast.Compare, ast.Constant, ast.Name, ast.List, ast.Tuple),
    *(ast.keyword, ast.Load, ast.operator, ast.unaryop, ast.cmpop),
)


@dataclass(frozen=True)
class Factor:
    """One factor of a formula as written: a column, a column coded by ``C()``, or a transform."""

    text: str
    variables: tuple[str, ...]
    column: str | None = None
    coded: bool = False
    levels: tuple[Any, ...] | None = None
    reference: Any = None


@dataclass(frozen=True)
class Formula:
    """A parsed formula: terms are tuples of positions in `factors`, ordered as R orders them; () is the intercept."""

    text: str
    response: Factor
    factors: tuple[Factor, ...]
    terms: tuple[tuple[int, ...], ...]

    @functools.cached_property
    def variables(self) -> tuple[str, ...]:
        """The columns that the right side reads, in order of appearance."""
        return tuple(dict.fromkeys(name for f in self.factors for name in f.variables))

    @property
    def coded(self) -> tuple[str, ...]:
        """The columns coded as factors by ``C()``."""
        return tuple(f.column for f in self.factors if f.coded and f.column)

    def term_name(self, term: tuple[int, ...]) -> str:
        """A term as R labels it."""
        return ":".join(self.factors[i].text for i in term) or "(Intercept)"


# A block of columns: factors in the term's order, each with True where a level is left out.
Block = tuple[tuple[int, bool], ...]


@dataclass(frozen=True, eq=False)
class Model:
    """A formula met with data: the levels of its factors, the state of its transforms, its blocks of columns."""

    formula: Formula
    levels: tuple[tuple[Any, ...] | None, ...]  # None: the factor is numeric
    widths: tuple[int, ...]  # levels of a factor, columns of a numeric one
    states: tuple[dict[str, Any], ...]
    blocks: tuple[tuple[Block, ...], ...]  # per term


@functools.lru_cache(maxsize=256)
def parse(formula: str) -> Formula:
    """The formula's response, factors and terms; parsed once per text."""
    from formulaic.errors import FormulaicError
    from formulaic.parser import DefaultFormulaParser

    parser = DefaultFormulaParser()
    try:
        written = [
            t.token
            for t in parser.get_tokens(formula)
            if t.kind and t.kind.name in ("NAME", "PYTHON")
        ]
        sides = parser.get_terms(formula)
    except (FormulaicError, SyntaxError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"formula {formula!r} cannot be read: {reason} Expected `response ~ terms`, as 'CHG ~ BASE + AVISIT'; "
            "terms are joined by + : * and columns named one by one."
        ) from None
    left, right = getattr(sides, "lhs", None), getattr(sides, "rhs", None)
    if (
        left is None
        or isinstance(left, tuple)
        or len(left) != 1
        or len(next(iter(left)).factors) != 1
    ):
        raise ValueError(
            f"formula {formula!r} has no single response; expected `response ~ terms`: name one column"
        )
    if isinstance(right, tuple):
        raise ValueError(
            f"formula {formula!r} has parts divided by |; expected fixed effects only: the covariance is named by "
            "covariance=, patients and visits by subject= and visit="
        )
    response = read_factor(next(iter(left)).factors[0], formula)
    place = {text: i for i, text in reversed(list(enumerate(written)))}

    def position(text: str) -> int:
        return int(place.get(text, len(place)))

    factors: dict[str, Factor] = {}
    terms: list[tuple[str, ...]] = []
    for term in right or ():
        if term.factors[0].expr == "1" and len(term.factors) == 1:
            terms.append(())
            continue
        for factor in term.factors:
            factors.setdefault(factor.expr, read_factor(factor, formula))
        terms.append(tuple(sorted((f.expr for f in term.factors), key=position)))
    if response.text in factors:
        raise ValueError(
            f"formula {formula!r}: {response.text} stands on both sides; take it out of the right side"
        )
    if not terms or not formula.partition("~")[2].strip():
        raise ValueError(
            f"formula {formula!r} has no terms; expected at least an intercept: write `~ 1`"
        )
    texts = sorted(factors, key=position)
    index = {text: i for i, text in enumerate(texts)}
    ordered = sorted(dict.fromkeys(tuple(index[e] for e in term) for term in terms), key=len)
    return Formula(formula, response, tuple(factors[t] for t in texts), tuple(ordered))


def read_factor(factor: Any, formula: str) -> Factor:
    """One factor, checked: a column, ``C(column, ...)``, or arithmetic and the known functions over columns."""
    text, how = str(factor.expr), factor.eval_method.name
    if how == "LOOKUP":
        return Factor(text, (text,), column=text)
    if how == "LITERAL":
        raise ValueError(
            f"formula {formula!r}: terms cannot be scaled by {text}; scale the column instead"
        )
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        raise ValueError(
            f"formula {formula!r}: {text} is not an expression over plain column names; inside a function a column's "
            "name must be letters, digits and _: rename the column"
        ) from None
    if (
        isinstance(tree, ast.Call)
        and isinstance(tree.func, ast.Name)
        and tree.func.id in ("C", "factor")
    ):
        return read_coded(tree, text, formula)
    functions: set[int] = set()
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and function_name(node.func):
            functions.update(id(inner) for inner in ast.walk(node.func))
        elif id(node) in functions:
            continue
        elif isinstance(node, ast.Name):
            names.append(node.id)
        elif isinstance(node, ast.BitXor):
            raise ValueError(
                f"formula {formula!r}: {text} has ^; inside a function a power is written **"
            )
        elif not isinstance(node, SYNTAX):
            raise ValueError(
                f"formula {formula!r}: {ast.unparse(node) if isinstance(node, ast.expr) else text} is not known in a "
                f"formula; expected arithmetic, {', '.join(TRANSFORMS)}, C, or np. with {', '.join(NUMPY)}: add other "
                "transforms to the frame as columns"
            )
    if not names:
        raise ValueError(
            f"formula {formula!r}: {text} names no column; use a column or take it out"
        )
    return Factor(text, tuple(dict.fromkeys(names)))


def function_name(node: ast.expr) -> bool:
    """Whether a called thing is one of the functions that formulas may use."""
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name) and node.value.id == "np" and node.attr in NUMPY
    return isinstance(node, ast.Name) and node.id in TRANSFORMS


def read_coded(tree: ast.Call, text: str, formula: str) -> Factor:
    """``C(column)``, ``C(column, levels=[...])``, ``C(column, contr.treatment("reference"))``."""
    try:
        (column, *positional) = tree.args
        assert isinstance(column, ast.Name) and len(positional) <= 1
        named = {k.arg: k.value for k in tree.keywords}
        if positional:
            named["contrasts"] = positional[0]
        levels = ast.literal_eval(named.pop("levels")) if "levels" in named else None
        contrasts, reference = named.pop("contrasts", None), None
        if contrasts is not None:
            assert isinstance(contrasts, ast.Call)
            assert ast.unparse(contrasts.func) in ("contr.treatment", "Treatment")
            (value,) = [*contrasts.args, *(k.value for k in contrasts.keywords)]
            reference = ast.literal_eval(value)
        assert not named
    except (AssertionError, ValueError):
        raise ValueError(
            f"formula {formula!r}: {text} is not understood; expected C(column), C(column, levels=[...]) or "
            'C(column, contr.treatment("reference level")); LS means and type III tests do not depend on the coding'
        ) from None
    chosen = None if levels is None else tuple(levels)
    return Factor(text, (column.id,), column.id, coded=True, levels=chosen, reference=reference)


def met(
    parsed: Formula,
    values: Mapping[str, Floats],
    levels_of: Callable[[str], tuple[Codes, tuple[Any, ...]]],
) -> tuple[Model, list[NDArray[Any]]]:
    """The formula met with the used rows: its model, and each factor's codes (n,) or numbers (n, width)."""
    parts: list[NDArray[Any]] = []
    part: NDArray[Any]
    found: tuple[Any, ...] | None
    levels: list[tuple[Any, ...] | None] = []
    states: list[dict[str, Any]] = []
    for factor in parsed.factors:
        state: dict[str, Any] = {}
        if factor.column is not None and not factor.coded and factor.column in values:
            part, found = values[factor.column][:, None], None
        elif factor.column is not None:
            part, found = reordered(factor, *levels_of(factor.column))
        else:
            env = {
                v: values[v] if v in values else spelled(*levels_of(v)) for v in factor.variables
            }
            part, found = evaluated(factor, env, state), None
            if part.dtype == bool:
                part, found = part[:, 0].astype(np.int64), tuple(np.unique(part).tolist())
        if found is not None and len(found) < 2:
            raise ValueError(
                f"factor {factor.text} has one level, {found[0]!r}, in the used rows; expected two or more: "
                "take it out of the formula"
            )
        parts.append(part)
        levels.append(found)
        states.append(state)
    blocks = coding(parsed.terms, tuple(found is not None for found in levels))
    widths = tuple(p.shape[1] if f is None else len(f) for p, f in zip(parts, levels, strict=True))
    return Model(parsed, tuple(levels), widths, tuple(states), blocks), parts


def spelled(codes: Codes, levels: Sequence[Any]) -> NDArray[Any]:
    """A factor as its labels, one per row."""
    return np.array(levels)[codes]


def reordered(
    factor: Factor, codes: Codes, levels: tuple[Any, ...]
) -> tuple[Codes, tuple[Any, ...]]:
    """The levels in the order that ``C()`` asks for."""
    wanted = list(factor.levels if factor.levels is not None else levels)
    for level in (*levels, *(() if factor.reference is None else (factor.reference,))):
        if level not in wanted:
            raise ValueError(
                f"{factor.text}: level {level!r} is not among {', '.join(map(repr, wanted))}; "
                "expected the levels of the column: correct levels= or the reference"
            )
    if factor.reference is not None:
        wanted.sort(key=lambda level: level != factor.reference)
    wanted = [level for level in wanted if level in levels]
    if tuple(wanted) == levels:
        return codes, levels
    return np.array([wanted.index(level) for level in levels])[codes], tuple(wanted)


def evaluated(factor: Factor, env: Mapping[str, Any], state: dict[str, Any]) -> NDArray[Any]:
    """A transform's value as (n, width): booleans of one column, or finite numbers."""
    from formulaic import transforms
    from formulaic.utils.stateful_transforms import stateful_eval

    allowed = {name: transforms.TRANSFORMS[name] for name in (*TRANSFORMS, "np")}
    try:
        with np.errstate(all="ignore"):
            found = stateful_eval(factor.text, {**allowed, **env}, {}, state, None)
        spans = getattr(getattr(found, "__formulaic_metadata__", None), "spans_intercept", False)
        found = getattr(found, "__wrapped__", found)
        columns = list(found.values()) if isinstance(found, Mapping) else [found]
        value = np.column_stack([np.asarray(c) for c in columns])
        if value.dtype != bool:
            value = value.astype(np.float64)
    except Exception as error:
        raise ValueError(
            f"{factor.text} cannot be computed: {error}; expected numbers: correct the formula or the column"
        ) from None
    if spans:
        raise ValueError(f"{factor.text} repeats the intercept; expected include_intercept=False")
    if value.shape[0] != next(iter(env.values())).shape[0]:
        raise ValueError(
            f"{factor.text} has {value.shape[0]} values; expected one per row: correct the formula"
        )
    if not np.isfinite(value).all():
        raise ValueError(
            f"{factor.text} is not finite in {int((~np.isfinite(value)).any(axis=1).sum())} rows; "
            "expected finite numbers: correct the values or use another transform"
        )
    return value


@functools.lru_cache(maxsize=256)
def coding(
    terms: tuple[tuple[int, ...], ...], categorical: tuple[bool, ...]
) -> tuple[tuple[Block, ...], ...]:
    """The blocks of columns of each term; a level is left out just where its column would repeat earlier ones.

    A term spans products of its factors' contrasts and, for categorical ones, of 1. What earlier terms span is taken
    away, and the rest is gathered: contrasts + 1 = all levels (the algorithm of patsy and formulaic).
    """
    spanned: set[Block] = set()
    blocks = []
    for term in terms:
        choices = [((((i, True),), ()) if categorical[i] else (((i, False),),)) for i in term]
        products = [tuple(itertools.chain(*chosen)) for chosen in itertools.product(*choices)]
        new = [block for block in products if block not in spanned]
        spanned.update(new)
        blocks.append(gathered(new))
    return tuple(blocks)


def gathered(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """Fewest blocks that span the same: where two differ by one factor's contrasts, it gets all its levels."""
    kept: list[Block] = []
    for block in sorted(blocks, key=len):
        for other in kept:
            extra = set(block) - set(other)
            if len(block) == len(other) + 1 and len(extra) == 1 and next(iter(extra))[1]:
                (left_out,) = extra
                merged = tuple((i, False) if (i, r) == left_out else (i, r) for i, r in block)
                kept = list(gathered([*(b for b in kept if b != other), merged]))
                break
        else:
            kept.append(block)
    return tuple(kept)


def matrix(model: Model, parts: Sequence[NDArray[Any]], n: int) -> Floats:
    """The columns of all terms, (n, p), from each factor's codes or numbers; a term's first factor fastest, as in R."""
    blocks = list(itertools.chain(*model.blocks))
    factors = [i for i, levels in enumerate(model.levels) if levels is not None]
    cells = math.prod(model.widths[i] for i in factors)
    if n < max(2 * cells, MANY_ROWS):
        return np.concatenate([columns(model, b, parts, n) for b in blocks], axis=1)
    # Many rows share few cells: the columns of factors are written per cell and copied, the others are written over.
    grid: list[NDArray[Any]] = [np.ones((cells, width)) for width in model.widths]
    for i, codes in zip(
        factors, np.indices([model.widths[i] for i in factors]).reshape(-1, cells), strict=True
    ):
        grid[i] = codes
    cell = np.zeros(n, dtype=np.int64)
    for i in factors:
        cell = cell * model.widths[i] + parts[i]
    per_cell = np.concatenate([columns(model, b, grid, cells) for b in blocks], axis=1)
    found = per_cell.take(cell, axis=0)
    where = block_columns(model)
    for block in blocks:
        if any(model.levels[i] is None for i, _ in block):
            at = slice(where[block].start, where[block].stop)
            found[:, at] = columns(model, block, parts, n)
    return found


def columns(
    model: Model, block: Block, parts: Sequence[NDArray[Any]], n: int, *, sums: bool = False
) -> Floats:
    """The columns of one block; with `sums`, a left-out level is -1 (sum to zero) in place of 0."""
    product: Floats | None = None
    for i, left_out in block:
        part = parts[i]
        if part.ndim == 1:
            part = levels_table(model.widths[i], left_out, sums).take(part, axis=0)
        product = (
            part if product is None else (part[:, :, None] * product[:, None, :]).reshape(n, -1)
        )
    return np.ones((n, 1)) if product is None else product


def block_columns(model: Model) -> dict[Block, range]:
    """The columns of each block."""
    where, start = {}, 0
    for block in itertools.chain(*model.blocks):
        size = math.prod(model.widths[i] - left_out for i, left_out in block)
        where[block] = range(start, start + size)
        start += size
    return where


@functools.lru_cache(maxsize=256)
def levels_table(k: int, left_out: bool, sums: bool) -> Floats:
    """The coding of a factor of k levels, one row per level."""
    if not left_out:
        return np.eye(k)
    if not sums:
        return np.ascontiguousarray(np.eye(k)[:, 1:])
    return np.vstack([np.eye(k - 1), np.full(k - 1, -1.0)])


def names(model: Model) -> tuple[str, ...]:
    """The coefficients' names as R writes them."""
    found: list[str] = []
    for blocks in model.blocks:
        for block in blocks:
            lists = [factor_names(model, i, left_out) for i, left_out in block]
            products = itertools.product(*reversed(lists))
            found.extend(":".join(reversed(one)) or "(Intercept)" for one in products)
    return tuple(found)


def factor_names(model: Model, i: int, left_out: bool) -> list[str]:
    """The names of one factor's columns."""
    text, levels, width = model.formula.factors[i].text, model.levels[i], model.widths[i]
    if levels is None:
        return [text] if width == 1 else [f"{text}{j + 1}" for j in range(width)]
    return [text + level_name(level) for level in levels[int(left_out) :]]


def level_name(level: Any) -> str:
    """A level as R prints it."""
    if isinstance(level, bool):
        return str(level).upper()
    return f"{level:.15g}" if isinstance(level, float) else str(level)
