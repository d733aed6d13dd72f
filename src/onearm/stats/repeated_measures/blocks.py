"""Patients seen at the same visits, as one block with their fitted covariance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Block:
    """The patients who share a covariance group and a set of visits, with their fitted covariance.

    ``rows`` (n_k, m_k) holds one line per patient: the indices of that patient's rows among the
    rows used by the fit, in the order of the visits. ``visits`` (m_k,) are the positions of these
    visits among the visit levels, ``group`` is the position of the covariance group. ``sigma``
    (m_k, m_k) is the covariance of such a patient where every weight is 1; with weights w it is
    D sigma D, D = diag(1 / sqrt(w)). In spatial structures a block is one set of visit times.
    """

    rows: NDArray[np.int64]
    visits: NDArray[np.int64]
    group: int
    sigma: NDArray[np.float64]
