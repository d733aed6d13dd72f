"""Bounds: the least and the greatest value a score can have."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from onearm.instruments import DERIVATIONS, INSTRUMENTS, Bounds
from onearm.instruments.instrument import add_bounds, check_number, check_yes_no
from onearm.units import check_unit


def test_bounds_that_meet_are_a_value() -> None:
    assert (Bounds(12, 12).known, Bounds(12, 12).value, str(Bounds(12, 12))) == (True, 12, "12")
    assert (Bounds(8, 12).known, Bounds(8, 12).value, str(Bounds(8, 12))) == (
        False, None, "8 to 12",
    )  # fmt: skip


def test_bounds_add_end_to_end() -> None:
    assert add_bounds([Bounds(1, 2), Bounds(0, 4), Bounds(3, 3)]) == Bounds(4, 9)
    assert add_bounds([]) == Bounds(0, 0)


@pytest.mark.parametrize(("lower", "upper"), [(2, 1), (math.nan, 1), (0, math.inf)])
def test_impossible_bounds_are_refused(lower: float, upper: float) -> None:
    with pytest.raises(ValueError, match="bound"):
        Bounds(lower, upper)


def test_registries_name_their_entries_and_units_can_be_read() -> None:
    for name, instrument in INSTRUMENTS.items():
        assert instrument.name == name
        assert instrument.source
    for name, derivation in DERIVATIONS.items():
        assert derivation.name == name
        assert derivation.source
        check_unit(derivation.unit)
        for unit in derivation.inputs.values():
            if unit:
                check_unit(unit)


def test_every_derivation_gives_none_if_any_input_is_missing() -> None:
    given = {
        "creatinine": 1.0, "age": 30, "sex": "F", "height": 150.0, "protein": 50.0, "upcr": 1.0,
        "volume": 1500.0,
    }  # fmt: skip
    for derivation in DERIVATIONS.values():
        inputs = {n: (10 if n == "age" and "height" in derivation.inputs else given[n])
                  for n in derivation.inputs}  # fmt: skip
        assert isinstance(derivation.compute(**inputs), float)
        for name in inputs:
            assert derivation.compute(**{**inputs, name: None}) is None


def test_instruments_start_without_heavy_libraries() -> None:
    code = (
        "import sys, onearm.instruments.ctcae, onearm.instruments.renal_response;"
        "print([m for m in ('numpy', 'scipy', 'polars', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_numbers_of_numpy_are_numbers_and_its_booleans_are_not() -> None:
    assert check_number("x", np.int64(3)) == 3.0
    assert check_number("x", np.float32(0.5)) == 0.5
    assert check_number("x", -1, negative=True) == -1.0
    for wrong in (np.bool_(True), True, "3", [3], 3j):
        with pytest.raises(TypeError, match="is not a number"):
            check_number("x", wrong)
    with pytest.raises(TypeError, match="is not yes or no"):
        check_yes_no("x", np.bool_(True))


@pytest.mark.parametrize(
    "record", [Bounds(0, 1), INSTRUMENTS["sledai_2k"], DERIVATIONS["upcr"],
               INSTRUMENTS["sledai_2k"].questions[0]]
)  # fmt: skip
def test_records_do_not_change(record: object) -> None:
    field = next(iter(record.__dataclass_fields__))  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="cannot assign"):
        setattr(record, field, None)
