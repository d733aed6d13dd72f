"""Django's name for this package, and the sign-in events that it listens to."""

from __future__ import annotations

from django.apps import AppConfig


class Web(AppConfig):
    """onearm's pages."""

    name = "onearm.web"
    label = "onearm_web"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Listen for what must stand in the ledger."""
        from onearm.web import accounts

        accounts.listen()
