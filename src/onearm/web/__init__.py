"""The trial run in the browser: pages that read, call one function and show; nothing is decided here."""
