"""django-oauth-toolkit as a real OAuth 2.0 server, on a free port of loopback.

    python tests/runtime/auth/oauth_server.py FOLDER LIFETIME_SECONDS

prints its port. Refresh tokens rotate without grace and are protected against reuse: whoever sends
an old one loses all of its tokens. `/rows` is a resource that wants a token; `/count` says how many
tokens were issued.
"""

from __future__ import annotations

import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

CLIENT_ID, CLIENT_SECRET = "client-1", "s3cret/+& of the client"
USER, PASSWORD = "joe", "correct horse"


def configure(folder: Path, lifetime_s: int) -> None:
    from django.conf import settings

    settings.configure(
        SECRET_KEY="for tests",
        DEBUG=False,
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        USE_TZ=True,
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "oauth2_provider",
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(folder / "oauth.sqlite3"),
                "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        OAUTH2_PROVIDER={
            "ACCESS_TOKEN_EXPIRE_SECONDS": lifetime_s,
            "ROTATE_REFRESH_TOKEN": True,
            "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 0,
            "REFRESH_TOKEN_REUSE_PROTECTION": True,
            "SCOPES": {"read": "read rows"},
        },
    )


def migrate() -> None:
    import django

    django.setup()
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from oauth2_provider.models import get_application_model

    call_command("migrate", verbosity=0)
    get_user_model().objects.create_user(USER, password=PASSWORD)
    for name, grant in (("password", "password"), ("machine", "client-credentials")):
        get_application_model().objects.create(
            name=name,
            client_id=CLIENT_ID if name == "password" else "machine-1",
            client_secret=CLIENT_SECRET,
            client_type="confidential",
            authorization_grant_type=grant,
        )


def urls():
    from django.http import JsonResponse
    from django.urls import path
    from oauth2_provider.decorators import protected_resource
    from oauth2_provider.models import get_access_token_model
    from oauth2_provider.views import RevokeTokenView, TokenView

    @protected_resource(scopes=["read"])
    def rows(_request):
        return JsonResponse({"rows": [{"id": 1}]})

    def refusing(request):
        answer = rows(request)
        # The toolkit says 403 to an expired token, where RFC 6750 says 401.
        answer.status_code = 401 if answer.status_code == 403 else answer.status_code
        return answer

    def count(_request):
        # Not how many there are: the toolkit deletes the token that a renewal replaces.
        last = get_access_token_model().objects.order_by("id").last()
        return JsonResponse({"tokens": last.id if last else 0})

    return [
        path("token", TokenView.as_view()),
        path("revoke", RevokeTokenView.as_view()),
        path("rows", refusing),
        path("count", count),
    ]


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_args):
        pass


if __name__ == "__main__":
    configure(Path(sys.argv[1]), int(sys.argv[2]))
    migrate()
    from django.core.wsgi import get_wsgi_application

    urlpatterns = urls()
    with make_server("127.0.0.1", 0, get_wsgi_application(), Server, Quiet) as server:
        print(server.server_port, flush=True)
        server.serve_forever()
