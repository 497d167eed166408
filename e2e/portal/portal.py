"""A small portal made of real Django: sessions, the admin with its login, a choice of language, a form with a CSRF token, messages in a
cookie, and a page that sets trackers.

    /usr/bin/python3 portal.py <port> <directory for its database>

It listens on loopback, keeps everything in that directory, and ends when it is asked to (SIGTERM).
"""
import os
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings

port, directory = int(sys.argv[1]), sys.argv[2]

settings.configure(
    SECRET_KEY="only for tests",
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    ROOT_URLCONF=__name__,
    # The gateway ends TLS and says so. It makes Django hold the Referer of every form against the Host that it sees.
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
    DATABASES={"default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.path.join(directory, "portal.sqlite3"),
        "OPTIONS": {"timeout": 30},
    }},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.locale.LocaleMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[{
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": [
            "django.template.context_processors.request",
            "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages",
        ]},
    }],
    MESSAGE_STORAGE="django.contrib.messages.storage.cookie.CookieStorage",
    LANGUAGE_CODE="en",
    LANGUAGES=[("en", "English"), ("fr", "French")],
    LANGUAGE_COOKIE_AGE=31536000,
    USE_I18N=True,
    USE_TZ=True,
    STATIC_URL="/static/",
    # One password, hashed once at every start, of a user who lives for seconds.
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
)
django.setup()

# These can be imported only once Django is set up.
from django.contrib import admin, messages  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse  # noqa: E402
from django.template import engines  # noqa: E402
from django.urls import include, path  # noqa: E402
from django.utils.translation import get_language  # noqa: E402
from django.views.decorators.csrf import ensure_csrf_cookie  # noqa: E402

FORM = engines["django"].from_string("""<!DOCTYPE html>
<title>Subscribe</title>
{% for message in messages %}<p>{{ message }}</p>{% endfor %}
<form method="post">{% csrf_token %}<input name="dataset"><button>Subscribe</button></form>
""")


@ensure_csrf_cookie
def received(request):
    """What the portal knows of a visitor: the cookies it received, and what it made of them."""
    return JsonResponse({
        "cookies": request.COOKIES,
        "user": request.user.get_username(),
        "language": get_language(),
    })


def subscribe(request):
    if request.method != "POST":
        return HttpResponse(FORM.render({}, request))
    messages.success(request, "Subscribed to " + request.POST["dataset"])
    return HttpResponseRedirect(request.path)


def trackers(request):
    """What no policy page of this portal tells of."""
    response = HttpResponse("trackers\n", content_type="text/plain")
    response.set_cookie("_pk_id.1.abcd", "0a1b2c3d4e5f.1769309526.", max_age=33955200, samesite="Lax")
    response.set_cookie("django_language", "fr,en")  # Python puts such a value in quotes, and writes the comma as \054
    response.set_cookie("_ga", "GA1.1.123456.1769309526", max_age=63072000, domain="localhost")
    response.set_cookie("_pk_ses.1.abcd", "1", max_age=1800, samesite="Lax")
    response.set_cookie("visitor_tag", "unlisted")
    return response


urlpatterns = [
    path("", received),
    path("subscribe/", subscribe),
    path("trackers/", trackers),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
]


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Django itself prints the requests that failed; the others would only hide them."""

    def log_message(self, *args):
        pass


call_command("migrate", verbosity=0)
get_user_model().objects.create_superuser("editor", "editor@portal.example", "correct horse")
make_server("127.0.0.1", port, get_wsgi_application(), server_class=Server, handler_class=Quiet).serve_forever()
