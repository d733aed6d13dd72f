"""Errors that a person reads: where, what was found, what was expected, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from onearm.sentences import sentence


class OnearmError(Exception):
    """The family of all errors onearm raises on purpose; the command line prints them without a traceback.

    The message may be given as the template of a :func:`~onearm.sentences.sentence` and its parts.
    """

    def __init__(self, message: str, **parts: Any):
        super().__init__(sentence(message, **parts) if parts else message)


class StudyError(OnearmError):
    """A study file cannot be used. Holds every fault found, one message each."""

    def __init__(self, messages: str | list[str]):
        self.messages = [messages] if isinstance(messages, str) else list(messages)
        super().__init__("\n".join(self.messages))


class LedgerError(OnearmError):
    """The ledger refuses an operation, or cannot be read."""


class ConductError(OnearmError):
    """The trial's rules of conduct refuse an act. Holds every reason, one message each.

    One reason may be given as the template of a sentence and its parts.
    """

    def __init__(self, messages: str | list[str], **parts: Any):
        if parts and isinstance(messages, str):
            messages = sentence(messages, **parts)
        self.messages = [messages] if isinstance(messages, str) else list(messages)
        super().__init__("\n".join(self.messages))


class UnitError(OnearmError):
    """A unit is unknown, or two units do not measure the same thing."""


class DateError(OnearmError):
    """A text is not a (partial) ISO 8601 calendar date."""


class ExchangeError(OnearmError):
    """A file of another system cannot be read or written. Holds every fault found, one message each."""

    def __init__(self, messages: str | list[str]):
        self.messages = [messages] if isinstance(messages, str) else list(messages)
        super().__init__("\n".join(self.messages))


@dataclass(frozen=True)
class Problem:
    """A fault in the data, never an exception: checks return lists of these.

    ``id`` is stable and documented (for example ``value.range``); ``severity`` is ``"error"`` when
    the value cannot be recorded and ``"warning"`` when a person must look at it; ``where`` names
    the place in the reader's words (a row of a file, a subject's visit and item).
    """

    id: str
    message: str
    severity: Literal["error", "warning"] = "error"
    where: str = ""


def words_of(error: OnearmError) -> str:
    """What an error says; as the sentence that it was made of, where it was one."""
    return str(error) if not error.args else error.args[0]
