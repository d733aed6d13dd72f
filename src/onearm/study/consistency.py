"""Cross-references of a study file: whatever one part says of another, checked."""

from __future__ import annotations

from collections.abc import Callable

from onearm.instruments import INSTRUMENTS
from onearm.study.check_analyses import (
    check_analyses,
    check_baseline,
    check_estimands,
    check_measures,
)
from onearm.study.check_forms import (
    check_forms,
)
from onearm.study.check_longitudinal import check_longitudinal
from onearm.study.check_plan import (
    check_donor,
    check_header,
    check_ids,
    check_outputs,
    check_population,
    check_product,
    check_published,
    check_safety,
    check_schedule,
)
from onearm.study.check_worth import check_comparators, check_multiplicity, check_untreated
from onearm.study.checking import Check, Finding
from onearm.study.model import Study

_PARTS: tuple[Callable[[Check], None], ...] = (
    check_header,
    check_ids,
    check_population,
    check_donor,
    check_product,
    check_schedule,
    check_forms,
    check_baseline,
    check_estimands,
    check_measures,
    check_analyses,
    check_longitudinal,
    check_safety,
    check_untreated,
    check_comparators,
    check_multiplicity,
    check_published,
    check_outputs,
)


def check_study(study: Study) -> list[Finding]:
    """Check every reference of one part of a study to another; all findings, in no order."""
    check = Check(study)
    for part in _PARTS:
        part(check)
    # A score is unknown when its instrument is; one fault is enough for both.
    unread = {f.id for f in study.forms if f.instrument and f.instrument.name not in INSTRUMENTS}
    return [f for f in check.findings if f.about.rpartition(".")[0] not in unread]
