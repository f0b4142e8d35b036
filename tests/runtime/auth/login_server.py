"""Django REST framework with Simple JWT as a real server of logins, on a free port of loopback.

    python tests/runtime/auth/login_server.py FOLDER LIFETIME_SECONDS

prints its port. `/login` takes a name and a password and gives a token that lives so long, `/rows`
wants one, `/count` says how many logins there were.
"""

from __future__ import annotations

import datetime as dt
import itertools
import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

USER, PASSWORD = "joe", "correct horse"


def configure(folder: Path, lifetime_s: float) -> None:
    from django.conf import settings

    settings.configure(
        SECRET_KEY="for tests, and long enough to sign with",
        DEBUG=False,
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        USE_TZ=True,
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "rest_framework",
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(folder / "login.sqlite3"),
                "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": [
                "rest_framework_simplejwt.authentication.JWTAuthentication"
            ],
            "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        },
        SIMPLE_JWT={"ACCESS_TOKEN_LIFETIME": dt.timedelta(seconds=lifetime_s)},
    )


def migrate() -> None:
    import django

    django.setup()
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    get_user_model().objects.create_user(USER, password=PASSWORD)


def urls():
    from django.http import JsonResponse
    from django.urls import path
    from rest_framework.response import Response
    from rest_framework.views import APIView
    from rest_framework_simplejwt.views import TokenObtainPairView

    logins = itertools.count()
    state = {"logins": 0}

    class Login(TokenObtainPairView):
        def post(self, request, *args, **kwargs):
            answer = super().post(request, *args, **kwargs)
            state["logins"] = next(logins) + 1
            return answer

    class Rows(APIView):
        def get(self, request):
            return Response({"rows": [{"id": 1, "reader": request.user.username}]})

    return [
        path("login", Login.as_view()),
        path("rows", Rows.as_view()),
        path("count", lambda _request: JsonResponse(state)),
    ]


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_args):
        pass


if __name__ == "__main__":
    configure(Path(sys.argv[1]), float(sys.argv[2]))
    migrate()
    from django.core.wsgi import get_wsgi_application

    urlpatterns = urls()
    with make_server("127.0.0.1", 0, get_wsgi_application(), Server, Quiet) as server:
        print(server.server_port, flush=True)
        server.serve_forever()
