"""Formula and frame to design, LS mean grids and type III hypotheses: against R, formulaic and the reference fits."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import formulaic
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from onearm.stats.repeated_measures.formula import Design, design, reference_grid, type3_hypotheses

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data" / "mmrm"
# R 4.2.2, nlme 3.1-162, emmeans 1.8.4-1; Rscript tests/reference/stats_mmrm_formula.R
R = json.loads((ROOT / "tests/reference/stats_mmrm_formula.json").read_text())

FRAMES = {
    "pandas": pd.DataFrame,
    "pandas objects": lambda data: pd.DataFrame(
        {k: pd.Series(list(v), dtype=object) for k, v in data.items()}
    ),
    "polars": lambda data: pl.DataFrame({k: list(v) for k, v in data.items()}),
    "arrow": lambda data: pa.table({k: list(v) for k, v in data.items()}),
    "dict": dict,
}
KEYS = {"subject": "USUBJID", "visit": "AVISIT"}
SMALL = {
    "USUBJID": ["P2", "P2", "P1", "P1", "P3", "P3"],
    "AVISIT": ["W04", "W08", "W08", "W04", "W04", "W08"],
    "WEEK": [4, 8, 8, 4, 4, 8],
    "ARM": ["TRT", "TRT", "PBO", "PBO", "TRT", "TRT"],
    "BASE": [10.0, 10.0, 12.0, 12.0, 9.0, 9.0],
    "CHG": [1.0, 2.0, 3.0, 4.0, 5.0, 7.0],
}


def trial(**changed: Any) -> dict[str, Any]:
    """The small trial as columns, some of them replaced."""
    return {**SMALL, **changed}


def of_r(formula: str, data: Any = None) -> Design:
    """The design of one of R's formulas over the constructed data."""
    text = formula.replace("^2 ", "**2 ").replace("^2)", "**2)").replace(")**2 +", ")**2 +")
    return design(f"CHG ~ {text}", pd.DataFrame(R["data"]) if data is None else data, **KEYS)


def in_r_words(name: str) -> str:
    """A coefficient's name with expressions as R deparses them."""
    return name.replace(" ** ", "^").replace("'", '"')


# --- the matrix


@pytest.mark.parametrize("reference", R["matrices"], ids=lambda m: m["formula"])
def test_columns_and_names_are_those_of_r(reference: dict[str, Any]) -> None:
    found = of_r(reference["formula"])
    names = reference["names"] if isinstance(reference["names"], list) else [reference["names"]]
    assert [in_r_words(name) for name in found.terms] == names
    assert found.X.flags.c_contiguous
    np.testing.assert_allclose(
        found.X, np.array(reference["X"]).reshape(len(found.y), -1), rtol=1e-14
    )


FORMULAS = [
    *(
        "BASE + ARM",
        "ARM * AVISIT",
        "ARM:AVISIT",
        "0 + ARM:AVISIT",
        "AVISIT - 1",
        "0 + ARM * AVISIT",
        "SEX + ARM:AVISIT",
    ),
    *(
        "BASE:ARM",
        "BASE * ARM",
        "0 + BASE:ARM",
        "ARM * SEX * AVISIT",
        "ARM:SEX:AVISIT",
        "ARM + ARM:SEX:AVISIT",
        "BASE * AGE",
    ),
    *(
        "ARM * SEX + SEX:AVISIT:BASE",
        "0 + BASE:ARM:SEX + SEX",
        "REGION:BASE + REGION:AGE:BASE",
        "ARM:SEX + AVISIT:REGION",
    ),
    *(
        "I(BASE**2)",
        "{BASE**2} + BASE",
        "np.log(BASE)",
        "log(BASE) * ARM",
        "center(BASE) * AVISIT",
        "scale(BASE) + AGE",
    ),
    *(
        "poly(BASE, 2) + ARM",
        "poly(BASE, 3):ARM",
        "bs(BASE, df=4) + AVISIT",
        "center(log(BASE))",
        "np.sqrt(AGE):SEX",
    ),
    *(
        "C(WEEK) * ARM",
        "C(WEEK):BASE",
        "(ARM + SEX + AVISIT)**2",
        "ARM / SEX",
        "0 + BASE:ARM + AVISIT:ARM",
        "FLAG * ARM",
        "FLAG:BASE",
    ),
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_matrix_spans_what_formulaic_builds_with_the_same_columns(formula: str) -> None:
    data = pd.DataFrame(R["data"]).assign(FLAG=lambda d: d["AGE"] > 40)
    found = design(f"CHG ~ {formula}", data, **KEYS)
    # formulaic takes booleans for numbers; as a factor they are what R takes them for
    theirs = formulaic.model_matrix(formula.replace("FLAG", "C(FLAG)"), data).to_numpy(dtype=float)
    np.testing.assert_allclose(
        sorted_columns(found.X), sorted_columns(theirs), rtol=1e-12, atol=1e-12
    )
    assert np.linalg.matrix_rank(found.X) == np.linalg.matrix_rank(theirs) == found.X.shape[1]


def sorted_columns(matrix: np.ndarray) -> np.ndarray:
    """The columns in an order of their own."""
    return matrix[:, np.lexsort(np.round(matrix, 9))]


def test_cell_means_beside_slopes_keep_every_cell_where_r_leaves_some_out() -> None:
    # R 4.2.2: colnames(model.matrix(~ 0 + BASE:ARM + AVISIT:ARM, d)) has no AVISITW04
    found = of_r("0 + BASE:ARM + AVISIT:ARM").terms
    assert found[:4] == ("BASE:ARMPBO", "BASE:ARMTRT", "ARMPBO:AVISITW04", "ARMTRT:AVISITW04")
    assert len(found) == 8


def test_many_rows_are_coded_as_few_are() -> None:
    few = pd.DataFrame(R["data"])
    many = pd.concat(
        [few.assign(USUBJID=few["USUBJID"] + f"-{i}") for i in range(40)], ignore_index=True
    )
    for formula in ("BASE + ARM * AVISIT * SEX", "BASE * AVISIT + ARM", "0 + AVISIT + AVISIT:AGE"):
        np.testing.assert_array_equal(of_r(formula, many).X, np.tile(of_r(formula, few).X, (40, 1)))


def test_a_combination_of_levels_without_rows_keeps_its_column() -> None:
    data = pd.DataFrame(R["data"]).query("not (ARM == 'TRT' and AVISIT == 'W12')")
    assert of_r("ARM * AVISIT", data).terms[-1] == "ARMTRT:AVISITW12"


# --- the frame


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("copies", [1, 20], ids=["few rows", "many rows"])
def test_every_frame_gives_the_same_design(kind: str, copies: int) -> None:
    data = {k: list(v) for k, v in R["data"].items()}
    many = {k: v * copies for k, v in data.items()}
    many["USUBJID"] = [f"{p}-{i}" for i in range(copies) for p in data["USUBJID"]]
    many["SEX"][3], many["CHG"][5], many["BASE"][0] = None, None, None
    found = design(
        "CHG ~ BASE + SEX + ARM * AVISIT", FRAMES[kind](many), group="ARM", weights="AGE", **KEYS
    )
    used = [i for i in range(len(many["CHG"])) if i not in (0, 3, 5)]
    patients = list(dict.fromkeys(many["USUBJID"]))
    assert found.n_dropped == 3
    assert found.rows.tolist() == used
    np.testing.assert_array_equal(found.y, [many["CHG"][i] for i in used])
    np.testing.assert_array_equal(found.X[:, 1], [many["BASE"][i] for i in used])
    np.testing.assert_array_equal(found.X[:, 2], [many["SEX"][i] == "M" for i in used])
    np.testing.assert_array_equal(found.weights, [many["AGE"][i] for i in used])
    assert found.subject_labels == tuple(patients)
    assert [found.subject_labels[c] for c in found.subject] == [many["USUBJID"][i] for i in used]
    assert [found.visit_levels[c] for c in found.visit] == [many["AVISIT"][i] for i in used]
    assert [found.group_levels[c] for c in found.group] == [many["ARM"][i] for i in used]
    assert found.terms[3:5] == ("ARMTRT", "AVISITW08")
    for codes in (found.subject, found.visit, found.group):
        assert codes.dtype == np.int64


@pytest.mark.parametrize("n", [1, 200])
def test_categories_keep_their_order_and_lose_those_that_do_not_occur(n: int) -> None:
    sex = ["M", "F", "M", "F", "M", "F"] * n
    data = {k: list(v) * n for k, v in SMALL.items()}
    data["USUBJID"] = [f"{p}-{i // 6}" for i, p in enumerate(data["USUBJID"])]
    order = ["U", "M", "F"]
    frames = [
        pd.DataFrame(data).assign(SEX=pd.Categorical(sex, order)),
        pl.DataFrame(data).with_columns(SEX=pl.Series(sex, dtype=pl.Enum(order))),
        pa.table(data).append_column(
            "SEX", pa.DictionaryArray.from_arrays([order.index(s) for s in sex], order)
        ),
    ]
    for frame in frames:
        found = design("CHG ~ SEX", frame, **KEYS)
        assert found.terms == ("(Intercept)", "SEXF")
        assert found.variables == {"SEX": ("M", "F")}
    unordered = pl.DataFrame(data).with_columns(SEX=pl.Series(sex, dtype=pl.Categorical))
    assert design("CHG ~ SEX", unordered, **KEYS).terms == ("(Intercept)", "SEXM")


def test_text_levels_are_in_the_order_of_the_c_locale() -> None:
    arm = ["b", "b", "A", "A", "a", "a"]
    assert design("CHG ~ ARM", trial(ARM=arm), **KEYS).variables["ARM"] == ("A", "a", "b")


@pytest.mark.parametrize("kind", FRAMES)
def test_booleans_are_factors_and_whole_numbers_are_covariates(kind: str) -> None:
    data = FRAMES[kind](trial(FLAG=[True, True, False, False, True, True], DOSE=[1, 1, 2, 2, 4, 4]))
    found = design("CHG ~ FLAG + DOSE", data, **KEYS)
    assert found.terms == ("(Intercept)", "FLAGTRUE", "DOSE")
    assert found.variables == {"FLAG": (False, True), "DOSE": pytest.approx(14 / 6)}
    np.testing.assert_array_equal(found.X[:, 2], [1, 1, 2, 2, 4, 4])


@pytest.mark.parametrize("values", [[True, None, False, False, True, True], [1, None, 2, 2, 4, 4]])
@pytest.mark.parametrize("kind", [*FRAMES, "pandas nullable"])
def test_a_missing_value_in_a_nullable_column_drops_its_row(kind: str, values: list[Any]) -> None:
    whole = trial(X=values)
    data = (
        pd.DataFrame(whole).convert_dtypes() if kind == "pandas nullable" else FRAMES[kind](whole)
    )
    found = design("CHG ~ X", data, **KEYS)
    assert found.rows.tolist() == [0, 2, 3, 4, 5]
    np.testing.assert_array_equal(found.X[:, 1], [float(v) for v in values if v is not None])


@pytest.mark.parametrize("kind", FRAMES)
def test_patients_are_numbered_as_they_appear_and_those_without_a_used_row_are_left_out(
    kind: str,
) -> None:
    found = design("CHG ~ BASE", FRAMES[kind](trial(CHG=[1.0, 2.0, None, None, 5.0, 7.0])), **KEYS)
    assert found.subject_labels == ("P2", "P3")
    assert found.subject.tolist() == [0, 0, 1, 1]
    numbered = design("CHG ~ BASE", FRAMES[kind](trial(USUBJID=[22, 22, 7, 7, 105, 105])), **KEYS)
    assert numbered.subject_labels == (22, 7, 105)
    assert numbered.subject.tolist() == [0, 0, 1, 1, 2, 2]


def test_patients_of_a_categorical_column_are_numbered_as_they_appear() -> None:
    data = pd.DataFrame(SMALL).assign(USUBJID=lambda d: d["USUBJID"].astype("category"))
    assert design("CHG ~ BASE", data, **KEYS).subject_labels == ("P2", "P1", "P3")


@pytest.mark.parametrize("ordered", [True, False], ids=["patients in runs", "patients mixed"])
def test_object_text_in_many_rows_is_coded_alike_in_runs_and_mixed(ordered: bool) -> None:
    ids = [f"S{i // 4:04d}" for i in range(2000)]
    visits = [f"V{i % 4}" for i in range(2000)]
    rows = np.arange(2000) if ordered else np.random.default_rng(1).permutation(2000)
    data = (
        pd.DataFrame({"ID": ids, "V": visits, "Y": np.arange(2000.0)})
        .iloc[rows]
        .astype({"ID": object, "V": object})
    )
    found = design("Y ~ V", data, subject="ID", visit="V")
    assert [found.subject_labels[c] for c in found.subject] == [ids[r] for r in rows]
    assert [found.visit_levels[c] for c in found.visit] == [visits[r] for r in rows]


def test_numeric_visits_are_times_and_text_visits_are_not() -> None:
    found = design("CHG ~ BASE", SMALL, subject="USUBJID", visit="WEEK")
    assert found.visit_levels == (4, 8)
    np.testing.assert_array_equal(found.times, [4.0, 8.0, 8.0, 4.0, 4.0, 8.0])
    assert design("CHG ~ BASE", SMALL, **KEYS).times is None
    both = design("CHG ~ WEEK", SMALL, subject="USUBJID", visit="WEEK")
    assert both.variables == {"WEEK": 6.0}
    assert design("CHG ~ C(WEEK) + WEEK:ARM", SMALL, **KEYS).variables == {
        "WEEK": (4, 8),
        "ARM": ("PBO", "TRT"),
    }


def test_patients_with_times_of_their_own_are_many_visits_and_no_duplicates() -> None:
    n = 900
    data = {"ID": [i // 3 for i in range(n)], "T": np.arange(n) * 0.25, "Y": np.arange(n) % 7.0}
    assert len(design("Y ~ T", data, subject="ID", visit="T").visit_levels) == n


def test_levels_and_visits_without_a_used_row_are_dropped() -> None:
    found = design(
        "CHG ~ ARM",
        trial(ARM=["a", "b", "c", "a", "b", "b"], CHG=[1.0, 2.0, None, 4.0, 5.0, 7.0]),
        **KEYS,
    )
    assert found.variables["ARM"] == ("a", "b")


def test_a_reference_level_and_an_order_of_levels_can_be_asked_for() -> None:
    chosen = design('CHG ~ C(ARM, contr.treatment("TRT"))', SMALL, **KEYS)
    assert chosen.X[:, 1].tolist() == [0, 0, 1, 1, 0, 0]
    assert design('CHG ~ C(ARM, levels=["TRT", "PBO"])', SMALL, **KEYS).X[:, 1].tolist() == [
        0,
        0,
        1,
        1,
        0,
        0,
    ]


def test_a_transform_of_the_response_is_taken() -> None:
    np.testing.assert_allclose(design("log(CHG) ~ 1", SMALL, **KEYS).y, np.log(SMALL["CHG"]))


def test_a_column_with_a_space_in_its_name_stands_in_backquotes() -> None:
    assert (
        design("CHG ~ `my base`", trial(**{"my base": SMALL["BASE"]}), **KEYS).terms[1] == "my base"
    )


# --- what is refused


@pytest.mark.parametrize(
    ("formula", "changed", "words"),
    [
        (
            "CHG ~ DOSE",
            {},
            "variable 'DOSE' is not a column of the data; the columns are USUBJID, AVISIT",
        ),
        ("CHGX ~ BASE", {}, "response 'CHGX' is not a column"),
        ("ARM ~ BASE", {}, "response 'ARM' holds 'TRT', 'PBO'; expected numbers"),
        ("~ BASE", {}, "has no single response"),
        ("CHG + BASE ~ ARM", {}, "has no single response"),
        ("CHG ~ ", {}, "has no terms"),
        ("CHG ~ BASE +", {}, "cannot be read: Operator `+` has insuffient arguments"),
        ("CHG ~ BASE $ ARM", {}, "cannot be read"),
        ("CHG ~ .", {}, "cannot be read"),
        ("CHG ~ log(BASE", {}, "cannot be read"),
        ("CHG ~ BASE | ARM", {}, "parts divided by |; expected fixed effects only"),
        ("CHG ~ CHG + BASE", {}, "CHG stands on both sides"),
        ("CHG ~ 0", {}, "has no terms"),
        ("CHG ~ 2:BASE", {}, "cannot be scaled by 2"),
        ("CHG ~ mean(BASE)", {}, "mean(BASE) is not known in a formula; expected arithmetic"),
        ("CHG ~ np.random.normal(BASE)", {}, "is not known in a formula"),
        ("CHG ~ np.load(BASE)", {}, "is not known in a formula"),
        ("CHG ~ I(BASE.__class__)", {}, "is not known in a formula"),
        ("CHG ~ I((lambda: 1)() + BASE)", {}, "is not known in a formula"),
        ("CHG ~ us(AVISIT | USUBJID)", {}, "is not known in a formula"),
        ("CHG ~ C(ARM, contr.sum)", {}, "C(ARM, contr.sum) is not understood"),
        ('CHG ~ C(ARM, contr.treatment("X"))', {}, "level 'X' is not among"),
        ('CHG ~ C(ARM, levels=["TRT"])', {}, "level 'PBO' is not among 'TRT'"),
        ("CHG ~ I(BASE^2)", {}, "I(BASE ^ 2) has ^; inside a function a power is written **"),
        ("CHG ~ bs(BASE, df=4, include_intercept=True)", {}, "repeats the intercept"),
        ("CHG ~ log(`my base`)", {}, "rename the column"),
        (
            "CHG ~ BASE",
            {"BASE": [np.inf, 1.0, 2.0, 3.0, 4.0, 5.0]},
            "column 'BASE' is infinite in 1 rows, the first is row 0",
        ),
        (
            "CHG ~ log(BASE)",
            {"BASE": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]},
            "log(BASE) is not finite in 1 rows",
        ),
        ("CHG ~ log(ARM)", {}, "log(ARM) cannot be computed"),
        ("CHG ~ ARM", {"ARM": ["a"] * 6}, "factor ARM has one level, 'a'"),
        ("CHG ~ ARM", {"ARM": ["", "a", "b", "a", "b", "a"]}, "column 'ARM' holds blank text"),
        (
            "CHG ~ BASE",
            {"CHG": [np.nan] * 6},
            "no rows are left of 6; missing values per column: {'CHG': 6}",
        ),
        ("CHG ~ BASE", {k: [] for k in SMALL}, "no rows are left of 0"),
        (
            "CHG ~ BASE",
            {"USUBJID": [None, *SMALL["USUBJID"][1:]]},
            "subject 'USUBJID' is missing in 1 rows, the first is",
        ),
        (
            "CHG ~ BASE",
            {"AVISIT": [*SMALL["AVISIT"][:5], None]},
            "visit 'AVISIT' is missing in 1 rows, the first is row 5",
        ),
        (
            "CHG ~ BASE",
            {"AVISIT": ["W04", "W04", "W08", "W04", "W08", "W08"]},
            "2 pairs of USUBJID and AVISIT stand in more than one row, the first are P2 at W04; P3 at W08; expected",
        ),
    ],
)
@pytest.mark.parametrize("kind", FRAMES)
def test_what_cannot_be_read_is_refused_in_words(
    kind: str, formula: str, changed: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        design(formula, FRAMES[kind](trial(**changed)), **KEYS)


@pytest.mark.parametrize("kind", ["pandas", "pandas objects", "dict"])
def test_text_mixed_with_numbers_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="column 'ARM' holds int, str; expected numbers, text"):
        design("CHG ~ ARM", FRAMES[kind](trial(ARM=["a", 1, "b", "a", 1, "b"])), **KEYS)


def test_a_duplicate_whose_response_is_missing_is_no_duplicate() -> None:
    data = trial(
        AVISIT=["W04", "W04", "W08", "W04", "W04", "W08"], CHG=[1.0, None, 3.0, 4.0, 5.0, 7.0]
    )
    assert design("CHG ~ BASE", data, **KEYS).y.size == 5


def test_weights_are_positive_numbers() -> None:
    with pytest.raises(ValueError, match="weights 'W' are 0 at the least; expected positive"):
        design("CHG ~ BASE", trial(W=[0.0, 1, 1, 1, 1, 1]), weights="W", **KEYS)
    with pytest.raises(ValueError, match="weights 'ARM' holds 'TRT', 'PBO'; expected numbers"):
        design("CHG ~ BASE", SMALL, weights="ARM", **KEYS)


def test_a_covariate_of_dates_is_refused() -> None:
    data = pd.DataFrame(SMALL).assign(DAY=pd.Timestamp("2020-01-01"))
    data.loc[0, "DAY"] = pd.Timestamp("2020-01-02")
    for frame in (data, pl.from_pandas(data), pa.Table.from_pandas(data)):
        with pytest.raises(
            ValueError, match=r"column 'DAY' holds .*; expected numbers, text or true/false"
        ):
            design("CHG ~ DAY", frame, **KEYS)


def test_data_that_is_no_frame_is_refused() -> None:
    with pytest.raises(TypeError, match="data is int; expected a pandas, polars or arrow frame"):
        design("CHG ~ BASE", 3, **KEYS)
    with pytest.raises(TypeError, match="collect a lazy frame first"):
        design("CHG ~ BASE", pl.DataFrame(SMALL).lazy(), **KEYS)


def test_what_is_no_name_is_refused() -> None:
    with pytest.raises(TypeError, match="formula is None; expected text"):
        design(None, SMALL, **KEYS)  # type: ignore[arg-type]
    with pytest.raises(
        TypeError, match=r"subject is \['USUBJID'\]; expected the name of one column"
    ):
        design("CHG ~ BASE", SMALL, subject=["USUBJID"], visit="AVISIT")  # type: ignore[arg-type]


def test_a_patient_missing_among_many_rows_of_objects_is_found() -> None:
    ids: list[Any] = [f"S{i // 4:04d}" for i in range(2000)]
    ids[900] = pd.NA
    data = pd.DataFrame(
        {"ID": pd.Series(ids, dtype=object), "V": [i % 4 for i in range(2000)], "Y": 1.0}
    )
    with pytest.raises(ValueError, match="subject 'ID' is missing in 1 rows, the first is row 900"):
        design("Y ~ V", data, subject="ID", visit="V")


def test_numbers_so_large_that_their_sum_overflows_are_finite() -> None:
    huge = [1.7e308, 1.7e308, 1.6e308, 1.6e308, 1e307, 1e307]
    assert design("CHG ~ 1", trial(CHG=huge), **KEYS).y.tolist() == huge


def test_decimals_are_numbers() -> None:
    data = trial(BASE=[Decimal("10.5"), Decimal(10), Decimal(12), Decimal(12), Decimal(9), None])
    for frame in (pd.DataFrame(data), pl.DataFrame(data), pa.table(data)):
        np.testing.assert_array_equal(
            design("CHG ~ BASE", frame, **KEYS).X[:, 1], [10.5, 10, 12, 12, 9]
        )


def test_the_design_keeps_its_numbers_when_the_frame_changes() -> None:
    data = {k: np.array(v) for k, v in SMALL.items()}
    found = design("CHG ~ BASE", data, weights="WEEK", **KEYS)
    data["CHG"][0], data["WEEK"][0], data["BASE"][0] = -1, -1, -1
    assert (found.y[0], found.weights[0], found.X[0, 1]) == (1.0, 4.0, 10.0)


def test_a_column_named_twice_or_of_another_length_is_refused() -> None:
    twice = pd.concat([pd.DataFrame(SMALL), pd.DataFrame(SMALL)[["BASE"]]], axis=1)
    with pytest.raises(ValueError, match="'BASE' names 2 columns of the data"):
        design("CHG ~ BASE", twice, **KEYS)
    with pytest.raises(
        ValueError,
        match=r"column 'BASE' has shape \(5,\), the first column has 6 values; expected columns of one length",
    ):
        design("CHG ~ BASE", trial(BASE=[1.0] * 5), **KEYS)


def test_variables_of_the_caller_are_out_of_reach() -> None:
    outside = np.ones(6)
    with pytest.raises(ValueError, match="variable 'outside' is not a column"):
        design("CHG ~ I(BASE + outside)", SMALL, **KEYS)
    assert outside.sum() == 6


def test_the_door_loads_neither_narwhals_nor_formulaic_before_it_is_used() -> None:
    code = (
        "import sys, onearm.stats.repeated_measures.formula; "
        "print([m for m in ('pandas', 'polars', 'narwhals', 'formulaic', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- LS means


@pytest.mark.parametrize(
    "reference", R["grids"], ids=lambda g: f"{g['formula']} by {g['by']} {g['weights']} {g['at']}"
)
def test_ls_mean_grids_are_those_of_emmeans(reference: dict[str, Any]) -> None:
    by = reference["by"] if isinstance(reference["by"], list) else [reference["by"]]
    labels, rows = reference_grid(
        of_r(reference["formula"]), by, reference["at"] or None, reference["weights"]
    )
    assert {k: list(v) for k, v in labels.items()} == reference["levels"]
    np.testing.assert_allclose(rows, np.array(reference["L"]), rtol=1e-12, atol=1e-13)


def fits() -> list[Path]:
    return sorted(SHARED.glob("*__us.json")) if SHARED.exists() else []


@pytest.mark.skipif(not fits(), reason="the reference fits are not beside the repository")
@pytest.mark.parametrize("path", fits(), ids=lambda p: p.stem)
def test_terms_grids_and_contrasts_are_those_of_the_reference_fits(path: Path) -> None:
    fit = json.loads(path.read_text())
    meta = fit["meta"]
    data = pd.read_csv(SHARED / meta["csv"])
    if "SEX" in data:
        data["SEX"] = pd.Categorical(data["SEX"], ["Male", "Female"])
    formula = meta["formula"].rpartition("+")[0]
    found = design(formula, data, subject=meta["subject"], visit=meta["visit"])
    assert list(found.terms) == fit["fit"]["beta_names"]
    assert found.y.size == fit["fit"]["n_obs"]
    assert len(found.subject_labels) == fit["fit"]["n_subjects"]
    assert list(found.visit_levels) == fit["fit"]["visit_levels"]
    for means in fit["satterthwaite"]["emmeans"].values():
        by = [name for name in means["means"] if name in found.variables]
        labels, rows = reference_grid(found, by)
        assert labels == {name: means["means"][name] for name in by}
        np.testing.assert_allclose(rows, means["means_linfct"], rtol=1e-12, atol=1e-13)
        if "contrast_vs_first_linfct" in means:
            np.testing.assert_allclose(
                rows[1:] - rows[0], means["contrast_vs_first_linfct"], rtol=1e-12, atol=1e-12
            )
        if "contrast_arm_linfct" in means:
            np.testing.assert_allclose(
                rows[1::2] - rows[::2], means["contrast_arm_linfct"], rtol=1e-12, atol=1e-12
            )


def test_a_covariate_among_the_rows_needs_values() -> None:
    found = of_r("BASE * ARM")
    with pytest.raises(ValueError, match="'BASE' is numeric and has no levels; say its values"):
        reference_grid(found, "BASE")
    with pytest.raises(
        ValueError, match=r"'VISIT' is not a variable of .*; its variables are BASE, ARM"
    ):
        reference_grid(found, "VISIT")
    with pytest.raises(ValueError, match="'ARM' has no level 'X'; its levels are 'PBO', 'TRT'"):
        reference_grid(found, "ARM", at={"ARM": ["X"]})
    with pytest.raises(ValueError, match="'BASE' is numeric; found 'low'"):
        reference_grid(found, "ARM", at={"BASE": "low"})
    with pytest.raises(ValueError, match="names a variable twice"):
        reference_grid(found, ["ARM", "ARM"])
    with pytest.raises(ValueError, match="weights='cells'; expected 'equal' or 'proportional'"):
        reference_grid(found, "ARM", weights="cells")


def test_an_ls_mean_over_all_cells_in_proportion_is_the_mean_of_the_rows() -> None:
    found = of_r("ARM * AVISIT * SEX + BASE")
    _, rows = reference_grid(found, [], weights="proportional")
    np.testing.assert_allclose(rows[0], found.X.mean(axis=0), rtol=1e-12)
    assert reference_grid(of_r("1"), [])[1].tolist() == [[1.0]]


# --- type III


@pytest.mark.parametrize("reference", R["type3"], ids=lambda t: t["formula"])
def test_type_iii_hypotheses_are_those_of_sum_to_zero_coding(reference: dict[str, Any]) -> None:
    found = type3_hypotheses(of_r(reference["formula"]))
    assert list(found) == reference["terms"]
    beta, vcov = np.array(reference["beta"]), np.array(reference["vcov"])
    for hypothesis, expected, statistic, df in zip(
        found.values(), reference["L"], reference["F"], reference["df"], strict=True
    ):
        np.testing.assert_allclose(hypothesis, np.array(expected), atol=1e-9)
        estimate = hypothesis @ beta
        wald = estimate @ np.linalg.solve(hypothesis @ vcov @ hypothesis.T, estimate)
        assert len(hypothesis) == df
        # nlme stops its optimiser at 1e-6; the two codings are two fits
        assert wald / df == pytest.approx(statistic, rel=1e-5)


def test_type_iii_hypotheses_do_not_depend_on_the_reference_level() -> None:
    data = pd.DataFrame(R["data"])
    other = data.assign(
        ARM=pd.Categorical(data["ARM"], ["TRT", "PBO"]),
        AVISIT=pd.Categorical(data["AVISIT"], ["W12", "W04", "W08"]),
    )
    one, two = of_r("BASE + ARM * AVISIT"), of_r("BASE + ARM * AVISIT", other)
    change = np.linalg.lstsq(two.X, one.X, rcond=None)[
        0
    ]  # coefficients of `two` out of those of `one`
    for name, hypothesis in type3_hypotheses(one).items():
        both = np.vstack([hypothesis, type3_hypotheses(two)[name] @ change])
        assert np.linalg.matrix_rank(both, tol=1e-9) == len(hypothesis)


def test_a_lone_intercept_is_no_term_and_a_lone_covariate_is_its_own_hypothesis() -> None:
    assert type3_hypotheses(of_r("1")) == {}
    assert {k: v.tolist() for k, v in type3_hypotheses(of_r("BASE")).items()} == {
        "BASE": [[0.0, 1.0]]
    }


def test_a_transform_of_several_columns_is_one_term() -> None:
    found = type3_hypotheses(of_r("poly(BASE, 2) * ARM"))
    assert {name: len(rows) for name, rows in found.items()} == {
        "poly(BASE, 2)": 2,
        "ARM": 1,
        "poly(BASE, 2):ARM": 2,
    }
