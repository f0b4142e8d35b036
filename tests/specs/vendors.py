"""What each vendor documents about its lists: authentication, parameters, pages, errors.

Every class holds the vendor's data and answers as its documentation says; the page is named in the
class. Ids are the vendor's in form, values are made up.
"""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlencode

from tests.specs.vendor import Answer, Request, bearer, rows_named

_LARGEST_PAGE = {"profiles": 100, "events": 1000, "lists": 10, "flows": 50, "campaigns": 100}


class Stripe:
    """https://docs.stripe.com/api/pagination, https://docs.stripe.com/api/errors."""

    host = "api.stripe.com"
    key = "rk_test_51MadeUpForTheTests"

    def __init__(self) -> None:
        sizes = {"customers": 230, "charges": 200, "invoices": 101, "subscriptions": 3, "prices": 0}
        self.lists = {
            name: rows_named(name[:2], size, object=name[:-1], livemode=False, metadata={})
            for name, size in sizes.items()
        }

    def __call__(self, request: Request) -> Answer:
        basic = base64.b64encode(f"{self.key}:".encode()).decode()
        if request.headers.get("authorization") not in (f"Bearer {self.key}", f"Basic {basic}"):
            return self._error(401, "Invalid API Key provided: rk_test_***")
        name = request.path.removeprefix("/v1/")
        if name not in self.lists:
            return self._error(404, f"Unrecognized request URL (GET: {request.path})")
        allowed = ["limit", "starting_after", "ending_before", "expand[]", "created[gte]"]
        unknown = request.unknown(*allowed, *(["status"] if name == "subscriptions" else []))
        if unknown:
            return self._error(400, f"Received unknown parameter: {unknown[0]}")
        limit = int(request.param("limit") or 10)
        if not 1 <= limit <= 100:
            return self._error(400, "Limit must be between 1 and 100")
        return self._page(name, limit, request.param("starting_after"), request.param("status"))

    def _page(self, name: str, limit: int, after: str | None, status: str | None) -> Answer:
        rows = self.lists[name]
        if name == "subscriptions" and status != "all":
            rows = rows[:1]  # without `status=all`, only those that were not cancelled
        ids = [row["id"] for row in rows]
        if after is not None and after not in ids:
            return self._error(400, f"No such {name[:-1]}: '{after}'")
        start = ids.index(after) + 1 if after else 0
        page = rows[start : start + limit]
        more = start + limit < len(rows)
        return Answer({"object": "list", "url": f"/v1/{name}", "has_more": more, "data": page})

    @staticmethod
    def _error(status: int, message: str) -> Answer:
        return Answer({"error": {"type": "invalid_request_error", "message": message}}, status)


class HubSpot:
    """https://developers.hubspot.com/docs/api-reference/crm-contacts-v3/guide."""

    host = "api.hubapi.com"
    key = "pat-na1-00000000-made-up"

    def __init__(self) -> None:
        sizes = {"contacts": 250, "companies": 100, "deals": 1, "tickets": 0, "owners": 120}
        self.lists = {
            name: [self._record(name, 100 + number) for number in range(size)]
            for name, size in sizes.items()
        }

    def __call__(self, request: Request) -> Answer:
        if not bearer(request, self.key):
            return self._error(
                401, "INVALID_AUTHENTICATION", "Authentication credentials not found"
            )
        owners = request.path == "/crm/v3/owners"
        name = "owners" if owners else request.path.removeprefix("/crm/v3/objects/")
        if name not in self.lists or (name == "owners") != owners:
            return self._error(404, "OBJECT_NOT_FOUND", f"Unable to infer object type from: {name}")
        known = ("after", "limit", "archived", *(() if owners else ("properties",)))
        limit = int(request.param("limit") or (100 if owners else 10))
        if request.unknown(*known) or limit > (500 if owners else 100):
            return self._error(400, "VALIDATION_ERROR", "Invalid input JSON")
        return self._page(name, request, limit)

    def _page(self, name: str, request: Request, limit: int) -> Answer:
        start = int(request.param("after") or 0)
        rows = self.lists[name]
        asked = (request.param("properties") or "").split(",")
        page = [self._with(row, asked) if name != "owners" else row for row in rows[start:][:limit]]
        body: dict[str, Any] = {"results": page}
        if start + limit < len(rows):
            after = str(start + limit)
            link = f"https://{self.host}{request.path}?{urlencode({'after': after})}"
            body["paging"] = {"next": {"after": after, "link": link}}
        return Answer(body)

    @staticmethod
    def _record(name: str, number: int) -> dict[str, Any]:
        stamps = {"createdAt": "2024-05-01T10:00:00.000Z", "updatedAt": "2024-06-01T10:00:00.000Z"}
        if name == "owners":
            return {"id": str(number), "email": f"{number}@example.com", "userId": number, **stamps}
        return {"id": str(number), "properties": {}, **stamps, "archived": False}

    @staticmethod
    def _with(row: dict[str, Any], asked: list[str]) -> dict[str, Any]:
        properties = {
            "hs_object_id": row["id"],
            **{name: f"{name} of {row['id']}" for name in asked},
        }
        return {**row, "properties": properties}

    @staticmethod
    def _error(status: int, category: str, message: str) -> Answer:
        return Answer({"status": "error", "category": category, "message": message}, status)


class Klaviyo:
    """https://developers.klaviyo.com/en/reference/api_overview and each endpoint's own page."""

    host = "a.klaviyo.com"
    key = "pk_made_up_for_the_tests"

    def __init__(self) -> None:
        sizes = {"profiles": 205, "events": 3, "lists": 25, "flows": 0, "metrics": 201}
        self.lists = {
            name: [self._resource(name, number) for number in range(size)]
            for name, size in sizes.items()
        }
        self.lists["email_campaigns"] = [self._resource("campaigns", n) for n in range(130)]
        self.lists["sms_campaigns"] = [self._resource("campaigns", n) for n in range(500, 502)]

    def __call__(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Klaviyo-API-Key {self.key}":
            return self._error(401, "not_authenticated", "Missing or invalid authorization scheme.")
        if "revision" not in request.headers:
            return self._error(400, "invalid", "The revision header is required.")
        name = request.path.removeprefix("/api/")
        rows = self._rows(name, request.param("filter"))
        if rows is None:
            return self._error(400, "invalid", "A channel filter is required to list campaigns")
        sized = name in _LARGEST_PAGE
        size = int(request.param("page[size]") or _LARGEST_PAGE.get(name, 200))
        known = ("page[cursor]", "sort", "filter", *(["page[size]"] if sized else []))
        if request.unknown(*known) or size > _LARGEST_PAGE.get(name, 200):
            return self._error(400, "invalid", "Invalid input.")
        return self._page(rows, request, size)

    def _rows(self, name: str, filter_: str | None) -> list[dict[str, Any]] | None:
        if name != "campaigns":
            return self.lists.get(name)
        channels = {f"equals(messages.channel,'{c}')": f"{c}_campaigns" for c in ("email", "sms")}
        return self.lists[channels[filter_]] if filter_ in channels else None

    def _page(self, rows: list[dict[str, Any]], request: Request, size: int) -> Answer:
        cursor = request.param("page[cursor]")
        start = int(base64.urlsafe_b64decode(cursor)) if cursor else 0
        here = f"https://{self.host}{request.path}"
        following = None
        if start + size < len(rows):
            token = base64.urlsafe_b64encode(str(start + size).encode()).decode()
            given = {name: values[0] for name, values in request.query.items()}
            following = f"{here}?{urlencode({**given, 'page[cursor]': token})}"
        links = {"self": here, "next": following, "prev": None}
        return Answer({"data": rows[start : start + size], "links": links})

    @staticmethod
    def _resource(name: str, number: int) -> dict[str, Any]:
        return {
            "type": name[:-1],
            "id": f"01H{number:023}",
            "attributes": {"name": f"{name} {number}", "updated": "2024-05-01T10:00:00+00:00"},
            "links": {"self": f"https://a.klaviyo.com/api/{name}/01H{number:023}/"},
        }

    @staticmethod
    def _error(status: int, code: str, detail: str) -> Answer:
        return Answer({"errors": [{"status": status, "code": code, "detail": detail}]}, status)


class GitHub:
    """https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api."""

    host = "api.github.com"
    key = "ghp_madeUpForTheTests"

    def __init__(self) -> None:
        self.spent = False
        sizes = {"issues": 250, "pulls": 100, "labels": 9, "commits": 101, "contributors": 0}
        self.lists: dict[str, list[dict[str, Any]]] = {
            name: [self._row(name, number) for number in range(size)]
            for name, size in sizes.items()
        }
        self.lists["issues/comments"] = [self._row("comments", n) for n in range(150)]

    def __call__(self, request: Request) -> Answer:
        if not request.headers.get("user-agent"):
            return self._error(403, "Request forbidden by administrative rules.")
        if "authorization" in request.headers and not bearer(request, self.key):
            return self._error(401, "Bad credentials")
        if self.spent:
            wait = {"Retry-After": "3600"}
            return self._error(403, "You have exceeded a secondary rate limit.", wait)
        # The links name the repository by its number, not by owner and name.
        for base in ("/repos/octocat/hello-world/", "/repositories/1296269/"):
            if request.path.startswith(base) and request.path.removeprefix(base) in self.lists:
                return self._page(request.path.removeprefix(base), request)
        return self._error(404, "Not Found")

    def _page(self, name: str, request: Request) -> Answer:
        rows = self.lists[name]
        if name in ("issues", "pulls") and request.param("state") != "all":
            rows = [row for row in rows if row["state"] == (request.param("state") or "open")]
        if not rows and name == "contributors":
            return Answer(status=204)
        size, page = int(request.param("per_page") or 30), int(request.param("page") or 1)
        size = min(size, 100)  # a larger one is cut without a word
        start = (page - 1) * size
        last = max(1, -(-len(rows) // size))
        given = {key: values[0] for key, values in request.query.items()}
        links = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
        base = f"https://{self.host}/repositories/1296269/{name}"
        header = ", ".join(
            f'<{base}?{urlencode({**given, "page": number})}>; rel="{rel}"'
            for rel, number in links.items()
            if 1 <= number <= last
            and (page > 1 or rel not in ("prev", "first"))
            and (page < last or rel not in ("next", "last"))
        )
        return Answer(rows[start : start + size], headers={"Link": header} if header else {})

    @staticmethod
    def _row(name: str, number: int) -> dict[str, Any]:
        key = {"sha": f"{number:040x}"} if name == "commits" else {"id": 1000 + number}
        state = "closed" if number % 2 else "open"
        return {**key, "node_id": f"MDU6{number}", "state": state, "title": f"{name} {number}"}

    @staticmethod
    def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Answer:
        return Answer({"message": message, "status": str(status)}, status, headers or {})


class Salesforce:
    """https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_query.htm."""

    key = "00Dxx0000001gPL!made.up"

    def __init__(self) -> None:
        sizes = {"Account": 450, "Contact": 200, "Lead": 1, "Opportunity": 2}
        self.lists = {
            name: [self._record(name, number) for number in range(size)]
            for name, size in sizes.items()
        }

    def __call__(self, request: Request) -> Answer:
        if not bearer(request, self.key):
            return self._error(401, "INVALID_SESSION_ID", "Session expired or invalid")
        base = "/services/data/v59.0/query"
        if request.path == base:
            return self._query(request)
        locator = request.path.removeprefix(f"{base}/")
        name, _, start = locator.removeprefix("01g").partition("-")
        if name not in self.lists or request.query:
            return self._error(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(name, int(start))

    def _query(self, request: Request) -> Answer:
        query = request.param("q") or ""
        for name in self.lists:
            if query == f"SELECT FIELDS(ALL) FROM {name} LIMIT 200" and set(request.query) == {"q"}:
                return self._page(name, 0)
        return self._error(400, "MALFORMED_QUERY", "unexpected token")

    def _page(self, name: str, start: int, size: int = 200) -> Answer:
        rows = self.lists[name]
        done = start + size >= len(rows)
        body = {"totalSize": len(rows), "done": done, "records": rows[start : start + size]}
        if not done:
            body["nextRecordsUrl"] = f"/services/data/v59.0/query/01g{name}-{start + size}"
        return Answer(body)

    @staticmethod
    def _record(name: str, number: int) -> dict[str, Any]:
        url = f"/services/data/v59.0/sobjects/{name}/001{number:015}"
        return {
            "attributes": {"type": name, "url": url},
            "Id": f"001{number:015}",
            "Name": f"{number}",
        }

    @staticmethod
    def _error(status: int, code: str, message: str) -> Answer:
        return Answer([{"message": message, "errorCode": code}], status)
