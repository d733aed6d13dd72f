"""What reported numbers say about the data behind them: which are possible, and by which test.

Everything here works on numbers as printed (:func:`read_printed`), because the decimals count, and
answers over every true value that could have been printed so.
"""

from onearm.stats.reported.attainable import (
    Attainable,
    Witness,
    attainable_mann_whitney,
    attainable_sign_flip,
    attainable_sign_test,
    attainable_signed_rank,
    two_sided_interval,
)
from onearm.stats.reported.construction import Constructed, construct_pairs
from onearm.stats.reported.granularity import (
    Grim,
    Joint,
    Limit,
    Scale,
    Summary,
    grim,
    grim_percent,
    joint,
    spread_limits,
)
from onearm.stats.reported.implied import (
    ImpliedChange,
    Range,
    implied_change,
    implied_p,
    mean_change,
    unpaired_p,
)
from onearm.stats.reported.printed import Printed, prints_as, read_p, read_printed

__all__ = [
    "Attainable",
    "Constructed",
    "Grim",
    "ImpliedChange",
    "Joint",
    "Limit",
    "Printed",
    "Range",
    "Scale",
    "Summary",
    "Witness",
    "attainable_mann_whitney",
    "attainable_sign_flip",
    "attainable_sign_test",
    "attainable_signed_rank",
    "construct_pairs",
    "grim",
    "grim_percent",
    "implied_change",
    "implied_p",
    "joint",
    "mean_change",
    "prints_as",
    "read_p",
    "read_printed",
    "spread_limits",
    "two_sided_interval",
    "unpaired_p",
]
