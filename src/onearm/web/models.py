"""What is kept outside the record: drafts of pages, names of people, one-time links."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from onearm.records import FormKey


class PageDraft(models.Model):
    """What somebody has typed on a form and not saved; never part of the record."""

    user: Any = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    page: Any = models.CharField(max_length=300)
    boxes: Any = models.TextField()
    at: Any = models.DateTimeField()

    class Meta:
        """One draft for each person and form."""

        constraints = (models.UniqueConstraint(fields=["user", "page"], name="one_draft"),)

    def __str__(self) -> str:
        return str(self.page)

    @staticmethod
    def _page(key: FormKey) -> str:
        return f"{key.kind}/{key.about}/{key.visit}/{key.form}/{key.repeat}"

    @classmethod
    def of(cls, user: Any, key: FormKey) -> PageDraft | None:
        """The draft of a form, if there is one."""
        return cls.objects.filter(user=user, page=cls._page(key)).first()

    @classmethod
    def keep(cls, user: Any, key: FormKey, boxes: str) -> PageDraft:
        """Keep what was typed."""
        kept, _new = cls.objects.update_or_create(
            user=user, page=cls._page(key), defaults={"boxes": boxes, "at": timezone.now()}
        )
        return kept

    @classmethod
    def drop(cls, user: Any, key: FormKey) -> None:
        """Throw the draft away, if there is one: to look first keeps the saves of others moving."""
        if kept := cls.of(user, key):
            kept.delete()


class Invitation(models.Model):
    """A one-time link with which a person sets the password; only its hash is kept."""

    token_hash: Any = models.CharField(max_length=64, unique=True)
    user_name: Any = models.CharField(max_length=150, blank=True)
    full_name: Any = models.CharField(max_length=150, blank=True)
    first: Any = models.BooleanField(default=False)
    ends: Any = models.DateTimeField()

    def __str__(self) -> str:
        return self.user_name or "the first administrator"

    @classmethod
    def issue(cls, user_name: str = "", full_name: str = "", *, first: bool = False) -> str:
        """Make a link's token, valid for an hour (the first) or three days; earlier ones end."""
        token = secrets.token_urlsafe(32)
        lasts = timedelta(hours=1) if first else timedelta(days=3)
        cls.objects.filter(user_name=user_name, first=first).delete()
        cls.objects.create(
            token_hash=_hash(token),
            user_name=user_name,
            full_name=full_name,
            first=first,
            ends=timezone.now() + lasts,
        )
        return token

    @classmethod
    def of(cls, token: str) -> Invitation | None:
        """The invitation of a token, if it still holds."""
        return cls.objects.filter(token_hash=_hash(token), ends__gt=timezone.now()).first()

    def take(self) -> bool:
        """Use it up; false when somebody else did meanwhile."""
        return bool(type(self).objects.filter(pk=self.pk).delete()[0])


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
