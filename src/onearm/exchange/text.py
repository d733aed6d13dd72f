"""Reading the text of a file that another program wrote."""

from __future__ import annotations

from pathlib import Path

from onearm.errors import ExchangeError


def read_text(path: Path) -> str:
    """The text of a CSV file in UTF-8, with or without a byte order mark.

    Raises
    ------
    ExchangeError
        The file cannot be read, or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ExchangeError(
            f"{path}: cannot be read ({error.strerror}); give the path of a CSV file"
        ) from None
    except UnicodeDecodeError as error:
        raise ExchangeError(
            f"{path.name}: byte {error.start} is not UTF-8 text; save the file as CSV UTF-8"
        ) from None
