"""A Django site over its own users and Wagtail's pages; runs in the environment of that name.

`python django_site.py PORT USERS PAGES TOKEN` fills an SQLite file in the working directory, then
serves four APIs that list the same users: what counts here is how their authors do it.
"""

import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings

PORT, USERS, PAGES, TOKEN = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]

settings.configure(
    SECRET_KEY="third-party",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "site.sqlite"}},
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    STATIC_URL="/static/",
    WAGTAIL_SITE_NAME="tests",
    WAGTAILADMIN_BASE_URL=f"http://127.0.0.1:{PORT}",
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "wagtail.api.v2",
        "wagtail.search",
        "wagtail.users",
        "wagtail.images",
        "wagtail.documents",
        "wagtail.admin",
        "wagtail",
        "modelcluster",
        "taggit",
        "rest_framework",
        "rest_framework.authtoken",
        "tastypie",
        "graphene_django",
    ],
)

django.setup()

import graphene  # noqa: E402 - Django must be set up first
from django.contrib.auth.models import User  # noqa: E402
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.urls import include, path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402
from graphene_django import DjangoConnectionField, DjangoObjectType  # noqa: E402
from graphene_django.views import GraphQLView  # noqa: E402
from rest_framework import generics, pagination, serializers  # noqa: E402
from rest_framework.authentication import TokenAuthentication  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402
from rest_framework.permissions import IsAuthenticated  # noqa: E402
from tastypie.api import Api  # noqa: E402
from tastypie.authentication import ApiKeyAuthentication  # noqa: E402
from tastypie.models import ApiKey  # noqa: E402
from tastypie.resources import ModelResource  # noqa: E402
from wagtail.api.v2.router import WagtailAPIRouter  # noqa: E402
from wagtail.api.v2.views import PagesAPIViewSet  # noqa: E402
from wagtail.models import Page, Site  # noqa: E402


class UserSerializer(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = ("id", "username", "first_name", "date_joined")


class Numbered(pagination.PageNumberPagination):
    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 150


class Limited(pagination.LimitOffsetPagination):
    default_limit = 50
    max_limit = 120


class Cursors(pagination.CursorPagination):
    page_size = 90
    ordering = "id"


def users_by(paginator):
    return generics.ListAPIView.as_view(
        queryset=User.objects.order_by("id"),
        serializer_class=UserSerializer,
        pagination_class=paginator,
        authentication_classes=[TokenAuthentication],
        permission_classes=[IsAuthenticated],
    )


class UserResource(ModelResource):
    class Meta:
        queryset = User.objects.order_by("id")
        resource_name = "user"
        fields = ("id", "username", "first_name")
        max_limit = 140
        authentication = ApiKeyAuthentication()


class UserNode(DjangoObjectType):
    class Meta:
        model = User
        interfaces = (graphene.relay.Node,)
        fields = ("id", "username", "date_joined")


class Query(graphene.ObjectType):
    users = DjangoConnectionField(UserNode)

    def resolve_users(self, _info, **_given):
        return User.objects.order_by("id")


wagtail_api = WagtailAPIRouter("wagtail")
wagtail_api.register_endpoint("pages", PagesAPIViewSet)
tastypie_api = Api(api_name="v1")
tastypie_api.register(UserResource())
graphql = GraphQLView.as_view(schema=graphene.Schema(query=Query))
urlpatterns = [
    path("drf/numbered", users_by(Numbered)),
    path("drf/limited", users_by(Limited)),
    path("drf/cursors", users_by(Cursors)),
    path("graphql", csrf_exempt(graphql)),
    path("tastypie/", include(tastypie_api.urls)),
    path("wagtail/", wagtail_api.urls),
]


def fill():
    call_command("migrate", verbosity=0)
    reader, *_ = User.objects.bulk_create(
        User(username=f"user{n:04}", first_name=f"Name {n}") for n in range(USERS)
    )
    Token.objects.create(user=reader, key=TOKEN)
    ApiKey.objects.create(user=reader, key=TOKEN)
    home = Site.objects.get(is_default_site=True).root_page
    for number in range(PAGES - 1):
        home.add_child(instance=Page(title=f"Page {number}", slug=f"page-{number}"))


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


fill()
make_server("127.0.0.1", PORT, WSGIHandler(), handler_class=Quiet).serve_forever()
