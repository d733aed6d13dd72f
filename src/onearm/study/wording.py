"""Words that several messages share: what was probably meant, and what there is to choose from."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

MOST_LISTED = 12
ALIKE = 0.66  # two of three letters, as VII and III


def nearest(word: str, words: Iterable[str]) -> str:
    """Find the most similar of ``words``; empty when none is similar."""
    among = list(words)
    small = {w.lower(): w for w in reversed(among)}
    if word.lower() in small:
        return small[word.lower()]
    near = difflib.get_close_matches(word, among, n=1, cutoff=ALIKE)
    lower = difflib.get_close_matches(word.lower(), small, n=1, cutoff=ALIKE)
    return near[0] if near else small[lower[0]] if lower else ""


def offer(word: str, plural: str, known: Iterable[str]) -> str:
    """Say what was probably meant and what there is: ``did you mean URINE? the forms are ...``.

    Parameters
    ----------
    word
        What was found.
    plural
        What the known words are, in the plural: ``"forms"``.
    known
        The permitted words; more than 12 are not listed.
    """
    among = list(known)
    near = nearest(word, among)
    hint = f"did you mean {near}?" if near else ""
    if not among:
        return f"there are no {plural}"
    if len(among) > MOST_LISTED:
        return hint or f"the {plural} are {listing(among[:MOST_LISTED])} ..."
    every = f"the {plural} are {listing(among)}" if len(among) > 1 else f"there is only {among[0]}"
    return f"{hint} {every}" if hint else every


def listing(words: Sequence[str]) -> str:
    """Join words by commas."""
    return ", ".join(words)
