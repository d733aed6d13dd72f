"""Regression to the mean: what becomes of untreated patients let in because they were ill.

A *history* (:class:`NaturalHistory`) says how the population screened varies and how two readings of
a patient go together. From it follow the change to expect of these patients untreated
(:func:`untreated`), of patients yet to be let in (:func:`selection_fall` and its neighbours), the
test of what remains (:func:`offset_test`) and the responders to expect
(:func:`untreated_responders`). Changes are after minus before: a fall is negative.
"""

from onearm.stats.regression_to_mean.history import (
    NaturalHistory,
    UntreatedChange,
    UntreatedExpectation,
    cv_from_repeatability,
    log_sd,
    lognormal_history,
    run_in,
    untreated,
    untreated_change,
)
from onearm.stats.regression_to_mean.lines import (
    signed_rank_tails,
)
from onearm.stats.regression_to_mean.offset import (
    OffsetTest,
    offset_test,
    run_in_offset_test,
)
from onearm.stats.regression_to_mean.responders import (
    PoissonBinomial,
    poisson_binomial,
    untreated_responders,
    untreated_response,
)
from onearm.stats.regression_to_mean.selection import (
    FallBySelection,
    FluctuatingFall,
    LognormalFall,
    density_change,
    fluctuating_fall,
    fluctuating_response,
    lognormal_selection,
    selection_fall,
    selection_response,
    unequal_variances_change,
)
from onearm.stats.regression_to_mean.simulation import (
    EntryCriterion,
    Marker,
    MarkerCourse,
    SimulatedSelection,
    SimulatedTrials,
    TestShare,
    significant_paired_t,
    significant_signed_rank,
    significant_without_effect,
    simulate_selection,
)
from onearm.stats.regression_to_mean.size import (
    OffsetSize,
    offset_power,
    offset_sample_size,
)
from onearm.stats.regression_to_mean.unknown_mean import (
    MeanScan,
    MeeChua,
    TippingPoint,
    mee_chua,
    scan_mean,
    tipping_rho,
)

__all__ = [
    "EntryCriterion",
    "FallBySelection",
    "FluctuatingFall",
    "LognormalFall",
    "Marker",
    "MarkerCourse",
    "MeanScan",
    "MeeChua",
    "NaturalHistory",
    "OffsetSize",
    "OffsetTest",
    "PoissonBinomial",
    "SimulatedSelection",
    "SimulatedTrials",
    "TestShare",
    "TippingPoint",
    "UntreatedChange",
    "UntreatedExpectation",
    "cv_from_repeatability",
    "density_change",
    "fluctuating_fall",
    "fluctuating_response",
    "log_sd",
    "lognormal_history",
    "lognormal_selection",
    "mee_chua",
    "offset_power",
    "offset_sample_size",
    "offset_test",
    "poisson_binomial",
    "run_in",
    "run_in_offset_test",
    "scan_mean",
    "selection_fall",
    "selection_response",
    "signed_rank_tails",
    "significant_paired_t",
    "significant_signed_rank",
    "significant_without_effect",
    "simulate_selection",
    "tipping_rho",
    "unequal_variances_change",
    "untreated",
    "untreated_change",
    "untreated_responders",
    "untreated_response",
]
