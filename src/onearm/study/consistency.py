"""Cross-references of a study file: whatever one part says of another, checked."""

from __future__ import annotations

from dataclasses import dataclass

from onearm.study.model import Study
from onearm.study.source import Path


@dataclass(frozen=True)
class Finding:
    """One thing that does not fit together.

    Attributes
    ----------
    path
        Where in the study, as keys and places in lists.
    message
        What was found; what was expected; what to do.
    about
        The word that was not found or does not fit; empty for none.
    offset
        Characters into the value at ``path`` (a place inside a rule).
    key
        The fault is the key itself, not its value.
    """

    path: Path
    message: str
    about: str = ""
    offset: int = 0
    key: bool = False


def check_study(study: Study) -> list[Finding]:
    """Check every reference of one part of a study to another."""
    return []
