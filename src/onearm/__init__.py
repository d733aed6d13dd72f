"""onearm: small single-arm before-after trials of cell therapy, from one study file to the report."""

__version__ = "0.1.0"
