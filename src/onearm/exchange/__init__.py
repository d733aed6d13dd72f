"""Doors to other systems' files. Each module reads or writes one form."""
