"""The columns of a user's frame as numbers or as codes with labels: pandas, polars, arrow, or a dict of columns.

Each library codes its own text column in its fastest way; a short column is coded by a dictionary, which is faster
still. Frames are told apart by the module that their type comes from, and read through narwhals or their own methods:
no frame library is imported here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

FEW_ROWS = 512  # below this a dictionary codes a column faster than any frame library


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the frame: numbers (NaN is missing), or codes (-1 is missing) into labels."""

    values: NDArray[Any] | None = None
    codes: Codes | None = None
    labels: Sequence[Any] = ()
    order: tuple[Any, ...] | None = None  # the categories of a categorical column, in their order


def reader(data: Any) -> Callable[[str, str], Column]:
    """A function that reads one column of any frame by name; its second argument says what the column is for."""
    if type(data).__module__.startswith("pandas") and type(data).__name__ == "DataFrame":
        names = data.columns

        def read(name: str) -> Column:
            return pandas_column(data[name], name)

    elif isinstance(data, Mapping):
        names = data.keys()

        def read(name: str) -> Column:
            return listed_column(data[name], name, len(next(iter(data.values()))))

    else:
        import narwhals as nw

        try:
            frame = nw.from_native(data, eager_only=True)
        except TypeError:
            raise TypeError(
                f"data is {type(data).__name__}; expected a pandas, polars or arrow frame, or a dict of columns; "
                "collect a lazy frame first"
            ) from None
        names = frame.columns

        def read(name: str) -> Column:
            return narwhals_column(frame.get_column(name), name)

    known: dict[str, Column] = {}

    def column(name: str, role: str) -> Column:
        if not isinstance(name, str):
            raise TypeError(f"{role} is {name!r}; expected the name of one column: give it as text")
        if name not in known:
            if name not in names:
                raise ValueError(
                    f"{role} {name!r} is not a column of the data; the columns are "
                    f"{', '.join(map(str, names))}: correct the name"
                )
            known[name] = read(name)
        return known[name]

    return column


def pandas_column(series: Any, name: str) -> Column:
    """A pandas column, by the cheapest way that its dtype allows."""
    if series.ndim != 1:
        raise ValueError(
            f"{name!r} names {series.shape[1]} columns of the data; expected one: rename the others"
        )
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        if dtype.kind in "iufb":
            return array_column(series.to_numpy(), name)
    elif dtype.name == "category":
        categories = tuple(series.cat.categories.tolist())
        codes = series.cat.codes.to_numpy().astype(np.int64)
        return Column(codes=codes, labels=categories, order=categories)
    elif dtype.kind in "iufb":
        if not series.hasnans:
            return array_column(
                series.to_numpy(dtype={"b": "bool", "f": "float64"}.get(dtype.kind, "int64")), name
            )
        values = series.to_numpy(dtype=np.float64, na_value=np.nan)
        return truth(values) if dtype.kind == "b" else Column(values=values)
    if len(series) <= FEW_ROWS:
        return labelled(series.array.to_numpy().tolist(), name)
    if getattr(dtype, "storage", "") == "pyarrow":
        codes, labels = arrow_codes(series.array.__arrow_array__())
        return typed(codes, labels, name)
    starts = run_starts(series)
    codes, labels = (series if starts is None else series.iloc[starts]).factorize()
    if starts is not None:
        codes = np.repeat(codes, np.diff(starts, append=len(series)))
    return typed(codes.astype(np.int64, copy=False), labels.tolist(), name)


def run_starts(series: Any) -> Codes | None:
    """Where a new value begins in a column of Python objects with long runs (patients in order): these say all."""
    if series.dtype != object:
        return None
    values = series.to_numpy()
    head = values[:64]
    if any(type(v) is not str for v in head) or np.count_nonzero(head[1:] != head[:-1]) > 32:
        return None
    try:
        changed = values[1:] != values[:-1]
    except TypeError:  # a missing value that does not compare
        return None
    return np.flatnonzero(np.concatenate([[True], changed])) if changed.dtype == bool else None


def narwhals_column(series: Any, name: str) -> Column:
    """A column of polars, arrow or another frame that narwhals knows."""
    import narwhals as nw

    dtype, kind = series.dtype, series.implementation
    if kind.is_pandas_like():
        return pandas_column(series.to_native(), name)
    if dtype.is_numeric():
        return array_column(series.to_numpy(), name)
    if dtype == nw.Boolean:
        return array_column(np.asarray(series.to_list()), name)
    if kind.is_pyarrow():
        codes, labels = arrow_codes(series.to_native())
        return typed(codes, labels, name, tuple(labels) if dtype == nw.Categorical else None)
    order = tuple(dtype.categories) if isinstance(dtype, nw.Enum) else None
    if (
        kind.is_polars()
        and len(series) > FEW_ROWS
        and dtype in (nw.String, nw.Categorical, nw.Enum)
    ):
        codes, labels = polars_codes(series.cast(nw.Categorical).to_native())
        return typed(codes, labels, name, order)
    return labelled(series.to_list(), name, order)


def arrow_codes(chunked: Any) -> tuple[Codes, list[Any]]:
    """Codes (-1 is missing) and labels of an arrow column."""
    array = chunked.combine_chunks()
    if hasattr(array, "combine_chunks"):  # no rows, or several chunks that stay apart
        array = array.chunk(0) if array.num_chunks else array
    encoded = array if hasattr(array, "dictionary") else array.dictionary_encode()
    indices = encoded.indices.fill_null(-1) if encoded.null_count else encoded.indices
    codes = indices.to_numpy(zero_copy_only=False)
    return codes.astype(np.int64), encoded.dictionary.to_pylist()


def polars_codes(series: Any) -> tuple[Codes, list[Any]]:
    """Codes (-1 is missing) and labels of a polars Categorical, whose own codes are global and not dense."""
    physical = series.to_physical().to_numpy()  # floats with NaN where values are missing
    missing = (
        np.isnan(physical) if physical.dtype.kind == "f" else np.zeros(physical.size, dtype=bool)
    )
    found = np.where(missing, -1, physical).astype(np.int64) + 1  # 0 is missing
    first = np.full(int(found.max()) + 1, -1, dtype=np.int64)
    first[found[::-1]] = np.arange(found.size)[
        ::-1
    ]  # the last assignment stands: the first row of each code
    first[0] = -1
    present = np.flatnonzero(first >= 0)
    present = present[np.argsort(first[present])]
    table = np.full(first.size, -1, dtype=np.int64)
    table[present] = np.arange(present.size)
    return table[found], series.gather(first[present]).to_list()


def array_column(array: NDArray[Any], name: str) -> Column:
    """A column held as a NumPy array."""
    if array.ndim != 1:
        raise ValueError(
            f"column {name!r} has shape {array.shape}; expected one value per row: give a flat column"
        )
    if array.dtype.kind in "iuf":
        return Column(values=array)
    if array.dtype.kind == "b":
        return Column(codes=array.astype(np.int64), labels=(False, True), order=(False, True))
    return labelled(array.tolist(), name)


def listed_column(values: Any, name: str, n_rows: int) -> Column:
    """A column of a dict: an array or a sequence, as long as the first column."""
    array = np.asarray(values)
    if array.shape[:1] != (n_rows,):
        raise ValueError(
            f"column {name!r} has shape {array.shape}, the first column has {n_rows} values; expected columns of one "
            "length: complete it"
        )
    if array.dtype.kind in "US" and not hasattr(
        values, "dtype"
    ):  # NumPy has turned numbers among text into text
        return labelled(list(values), name)
    return array_column(array, name)


def truth(values: Floats) -> Column:
    """A boolean column given as 0, 1 and NaN."""
    codes = np.where(np.isnan(values), -1, values).astype(np.int64)
    return Column(codes=codes, labels=(False, True), order=(False, True))


def labelled(values: list[Any], name: str, order: tuple[Any, ...] | None = None) -> Column:
    """A column of Python objects; None and NaN are missing."""
    labels = list(dict.fromkeys(values))
    seen = dict(zip(labels, range(len(labels)), strict=True))
    codes = np.fromiter(map(seen.__getitem__, values), dtype=np.int64, count=len(values))
    missing = (
        []
        if set(map(type, labels)) == {str}
        else [i for i, v in enumerate(labels) if is_missing(v)]
    )
    if missing:
        table = np.full(len(labels), -1, dtype=np.int64)
        kept = [i for i in range(len(labels)) if i not in missing]
        table[kept] = np.arange(len(kept))
        codes, labels = table[codes], [labels[i] for i in kept]
    return typed(codes, labels, name, order)


def is_missing(value: Any) -> bool:
    """Whether a label says that nothing is there."""
    return (
        value is None
        or type(value).__name__ in ("NAType", "NaTType")
        or (isinstance(value, float) and value != value)
    )


def typed(
    codes: Codes, labels: list[Any], name: str, order: tuple[Any, ...] | None = None
) -> Column:
    """Codes with their labels; objects that are all numbers or all booleans become such a column."""
    kinds = set(map(type, labels))
    if order is None and kinds:
        if kinds == {bool}:
            table = np.array([int(v) for v in labels] + [-1])
            return Column(codes=table[codes], labels=(False, True), order=(False, True))
        if kinds <= {int, float, np.float64, np.int64, Decimal}:
            return Column(values=np.array([*labels, np.nan], dtype=np.float64)[codes])
    if str in kinds and "" in labels:
        raise ValueError(
            f"column {name!r} holds blank text; expected a value or a missing value: write it as missing"
        )
    return Column(codes=codes, labels=labels, order=order)


def leveled(
    column: Column, keep: NDArray[np.bool_] | None, name: str
) -> tuple[Codes, tuple[Any, ...]]:
    """Codes and levels over the used rows: only levels that occur; text is sorted as R's factor() does in the C locale.

    A categorical column keeps the order of its categories; numbers are in order of size, False comes before True.
    """
    if column.values is not None:
        values = column.values if keep is None else column.values[keep]
        numbers, codes = np.unique(values, return_inverse=True)
        return codes.astype(np.int64, copy=False), tuple(numbers.tolist())
    assert column.codes is not None
    codes = column.codes if keep is None else column.codes[keep]
    count = np.bincount(codes, minlength=len(column.labels)).tolist()
    position = {label: i for i, label in enumerate(column.labels) if count[i]}
    if column.order is not None:
        levels = [label for label in column.order if label in position]
    elif set(map(type, position)) == {str}:
        levels = sorted(position)
    else:
        kinds = ", ".join(sorted({type(v).__name__ for v in position}))
        raise ValueError(
            f"column {name!r} holds {kinds}; expected numbers, text or true/false: convert the column"
        )
    table = np.zeros(len(column.labels), dtype=np.int64)
    table[[position[label] for label in levels]] = np.arange(len(levels))
    return table[codes], tuple(levels)


def absent(column: Column, name: str) -> NDArray[np.bool_] | None:
    """Rows where the column is missing, or None where it is complete; an infinite number is an error."""
    if column.values is None:
        assert column.codes is not None
        return column.codes < 0 if column.codes.size and column.codes.min() < 0 else None
    if column.values.dtype.kind != "f":
        return None
    with np.errstate(all="ignore"):
        if math.isfinite(np.add.reduce(column.values)):
            return None
    finite = np.isfinite(column.values)
    if finite.all():  # large numbers whose sum overflows
        return None
    missing: NDArray[np.bool_] = np.isnan(column.values)
    infinite = np.flatnonzero(~(finite | missing))
    if infinite.size:
        raise ValueError(
            f"column {name!r} is infinite in {infinite.size} rows, the first is row {infinite[0]}; expected finite "
            "numbers: correct the value or set it to missing"
        )
    return missing


def identified(column: Column, name: str, role: str) -> None:
    """Refuse a column of labels (patient, visit, group) with a missing value."""
    missing = absent(column, name)
    if missing is not None:
        rows = np.flatnonzero(missing)
        raise ValueError(
            f"{role} {name!r} is missing in {rows.size} rows, the first is row {rows[0]}; expected one {role} in every "
            "row: complete or remove these rows"
        )


def numbers_of(column: Column, name: str, role: str) -> NDArray[Any]:
    """The numbers of a column, or an error that says what it holds."""
    if column.values is None:
        shown = ", ".join(repr(v) for v in list(column.labels)[:3])
        raise ValueError(f"{role} {name!r} holds {shown}; expected numbers: convert the column")
    return column.values


def appearance(column: Column, name: str) -> tuple[Codes, tuple[Any, ...]]:
    """Codes in order of first appearance in the frame, and the labels."""
    if column.values is None:
        assert column.codes is not None
        if column.order is None:
            return column.codes, tuple(column.labels)
        values: NDArray[Any] = column.codes
    else:
        values = column.values
    numbers, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    found = numbers[order].tolist()
    labels = found if column.values is not None else [column.labels[i] for i in found]
    return rank[inverse].astype(np.int64, copy=False), tuple(labels)
