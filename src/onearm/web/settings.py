"""Django's settings for one served study folder, named by the environment that ``onearm serve`` sets.

``ONEARM_DIR`` the folder; ``ONEARM_DATABASE`` a PostgreSQL URL for ledger and accounts, else ``ledger.db`` and
``accounts.db``; ``ONEARM_TLS`` is ``1`` behind a proxy that speaks TLS. There is no default for secrets.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from onearm.ledger.sqlite import LOG_IS_SOUND, sqlite3

FOLDER = Path(os.environ["ONEARM_DIR"])
DATABASE = os.environ.get("ONEARM_DATABASE", "")
TLS = os.environ.get("ONEARM_TLS") == "1"
HERE = Path(__file__).parent

SECRET_KEY = (FOLDER / "secret.key").read_text(encoding="ascii").strip()
DEBUG = False
ALLOWED_HOSTS = os.environ.get("ONEARM_HOSTS", "127.0.0.1,localhost,[::1]").split(",")
ROOT_URLCONF = "onearm.web.urls"
WSGI_APPLICATION = "onearm.web.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = os.environ.get("ONEARM_TIME_ZONE") or "UTC"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "onearm.web.apps.Web",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "axes",
    "csp",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "onearm.web.middleware.SessionEnds",
    "onearm.web.middleware.SignInFirst",
    "onearm.web.middleware.SecondFactor",
    "onearm.web.middleware.PlainErrors",
    "axes.middleware.AxesMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [HERE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "onearm.web.frame.frame",
            ],
        },
    }
]


def same_sqlite() -> None:
    """Have Django keep its tables with the SQLite of the ledger; it imports ``sqlite3`` by that name only."""
    names = ("sqlite3", "sqlite3.dbapi2")
    own = {name: import_module(name) for name in names}
    taken = {
        "sqlite3": import_module(sqlite3.__name__.partition(".")[0]),
        "sqlite3.dbapi2": sqlite3,
    }
    sys.modules.update(taken)
    try:
        import_module("django.db.backends.sqlite3.base")
    finally:
        sys.modules.update(own)


def database() -> dict[str, Any]:
    """Where Django's own tables are: users, sessions, second factors, lock-outs, drafts."""
    if not DATABASE:
        same_sqlite()
        journal = ("WAL", "FULL") if LOG_IS_SOUND else ("DELETE", "EXTRA")
        pragmas = "PRAGMA journal_mode={};PRAGMA synchronous={};PRAGMA foreign_keys=ON;"
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": FOLDER / "accounts.db",
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "timeout": 30,
                "transaction_mode": "IMMEDIATE",
                "init_command": pragmas.format(*journal),
            },
        }
    url = urlsplit(DATABASE)
    query = dict(pair.partition("=")[::2] for pair in url.query.split("&") if pair)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path.lstrip("/"),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": unquote(query.get("host", "")) or url.hostname or "",
        "PORT": str(url.port or ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {name: unquote(value) for name, value in query.items() if name != "host"},
    }


DATABASES = {"default": database()}

# -- people ---------------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "onearm.web.accounts.NoWordsOfTheTrial"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "today"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "onearm.web.accounts.Adapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_PREVENT_ENUMERATION = True
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"  # nothing is ever sent
ACCOUNT_RATE_LIMITS = {"login_failed": "20/m/ip,10/5m/key"}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_FORMS = {
    "authenticate": "onearm.web.accounts.SignInCode",
    "reauthenticate": "onearm.web.accounts.AgainCode",
}
MFA_TOTP_ISSUER = "onearm"
MFA_TOTP_TOLERANCE = 1  # a clock half a minute behind, as RFC 6238 advises

AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = "onearm.web.accounts.cool_off"
AXES_USERNAME_CALLABLE = "onearm.web.accounts.typed_user_name"
AXES_HANDLER = "onearm.web.accounts.Tries"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "ip_address"]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "onearm/locked_out.html"
AXES_VERBOSE = False
AXES_CLIENT_IP_CALLABLE = "onearm.web.accounts.address_of"
AXES_DISABLE_ACCESS_LOG = True  # the ledger is the log
AXES_SENSITIVE_PARAMETERS = [
    *("password", "password1", "password2", "oldpassword", "again"),
    *("login", "code", "user_name", "full_name", "csrfmiddlewaretoken"),
]

# -- sessions and the browser ---------------------------------------------------------------------

IDLE_SECONDS = 15 * 60
LONGEST_SECONDS = 12 * 60 * 60
SESSION_COOKIE_AGE = IDLE_SECONDS
SESSION_SAVE_EVERY_REQUEST = False  # the middleware renews it once a minute, not at every request
RENEW_SECONDS = 60
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
# "__Host-" binds a cookie to this very host; browsers take it over TLS only.
SESSION_COOKIE_NAME = "__Host-onearm_session" if TLS else "onearm_session"
CSRF_COOKIE_NAME = "__Host-csrftoken" if TLS else "csrftoken"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = TLS
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_USE_SESSIONS = False
CSRF_FAILURE_VIEW = "onearm.web.middleware.csrf_failed"
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = TLS
SECURE_SSL_REDIRECT = False
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TLS else None
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS] if TLS else []
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_000_000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000

# -- languages and files --------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGE_COOKIE_SECURE, LANGUAGE_COOKIE_HTTPONLY, LANGUAGE_COOKIE_SAMESITE = TLS, True, "Lax"
LANGUAGES = [("en", _("English")), ("fa", _("Persian"))]
LOCALE_PATHS = [HERE / "locale"]
STATIC_URL = "/static/"
STATICFILES_DIRS = [
    HERE / "static",
    ("onearm/fonts", HERE.parent / "report" / "fonts"),
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    # A page that is not there or not for somebody is no fault of the server: only faults are printed.
    "handlers": {"console": {"class": "logging.StreamHandler", "level": "ERROR"}},
    "root": {"handlers": ["console"], "level": "ERROR"},
}
SILENCED_SYSTEM_CHECKS = ["axes.W003"]
