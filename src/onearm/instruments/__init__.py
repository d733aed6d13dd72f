"""Clinical instruments: what a score asks, how it is counted, and where that was published.

Each module can be used alone and knows nothing of studies, databases or the web. The two plain
dicts below are read by the study file: `INSTRUMENTS` makes a form, `DERIVATIONS` makes a measure.
"""

from __future__ import annotations

from onearm.instruments import egfr, proteinuria, sledai
from onearm.instruments.instrument import Bounds, Derivation, Instrument, Question

INSTRUMENTS: dict[str, Instrument] = {
    "sledai_2k": sledai.INSTRUMENTS["sledai_2k"],
    "selena_sledai": sledai.INSTRUMENTS["selena_sledai"],
    "hybrid_selena_sledai": sledai.INSTRUMENTS["hybrid_selena_sledai"],
    "sledai_1992": sledai.INSTRUMENTS["sledai_1992"],
}

DERIVATIONS: dict[str, Derivation] = {
    "egfr_ckd_epi_2009": egfr.DERIVATIONS["egfr_ckd_epi_2009"],
    "egfr_ckd_epi_2021": egfr.DERIVATIONS["egfr_ckd_epi_2021"],
    "egfr_schwartz_bedside": egfr.DERIVATIONS["egfr_schwartz_bedside"],
    "upcr": proteinuria.DERIVATIONS["upcr"],
    "upcr_from_24h": proteinuria.DERIVATIONS["upcr_from_24h"],
    "protein_24h": proteinuria.DERIVATIONS["protein_24h"],
    "protein_24h_from_upcr": proteinuria.DERIVATIONS["protein_24h_from_upcr"],
}

__all__ = ["DERIVATIONS", "INSTRUMENTS", "Bounds", "Derivation", "Instrument", "Question"]
