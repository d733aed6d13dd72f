"""A study in words, and the differences of two studies in words."""

from __future__ import annotations

from onearm.study.difference import TOPICS, Difference, describe_diff, diff
from onearm.study.protocol import describe, schedule_table

__all__ = ["TOPICS", "Difference", "describe", "describe_diff", "diff", "schedule_table"]
