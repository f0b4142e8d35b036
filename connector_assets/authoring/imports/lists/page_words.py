"""The words that APIs have for paging, without case and marks: `pagesize` is `page[size]` too.

Counted over the documents of 26 vendors; see the decision on heuristics in docs/adr.
"""

from __future__ import annotations

import re

from connector_assets.authoring.imports.lists.operation import Param, plain, words_in
from connector_assets.authoring.imports.lists.schema import View
from connector_assets.authoring.imports.lists.times import is_time_param

SIZES = words_in(
    "perpage pagesize limit count maxresults top size resultsperpage itemsperpage maxitems "
    "pagelimit take first maxpagesize maxrecords recordsperpage rowsperpage hitsperpage "
    "pagelen maxresultcount rows numresults batchsize maxcount pagecount max num"
)
_SURE_SIZES = frozenset(
    words_in("perpage pagesize limit maxresults pagelimit top maxpagesize itemsperpage")
)
PAGES = words_in("page pagenumber pageno pagenum pageindex currentpage pageid p pg")
OFFSETS = words_in(
    "offset skip startat startindex pageoffset startposition startrow recordoffset start from"
)
CURSORS = words_in(
    "cursor pagecursor pagetoken nextpagetoken nextcursor nexttoken pageafter after "
    "startingafter startafter aftercursor aftertoken marker nextmarker iterator startcursor "
    "continuationtoken continuation paginationtoken paginationcursor bookmark scrollid "
    "streamposition nextkey exclusivestartkey startkey nextpage next afterid lastid pagestate"
)
"""Parameters that take what an answer gave; the first is tried first."""

_ALSO_TIMES = frozenset(words_in("after startingafter startafter pageafter next"))
"""Those of them that other APIs have for a time."""

LAST_ROW = frozenset(
    words_in("after startingafter startafter pageafter afterid lastid cursor marker")
)
"""Those that may be the key of the last row."""

BY_ID = frozenset(words_in("sinceid beforeid maxid minid fromid idgt idlt idafter olderthanid"))
"""Those that take a key of a row, in one direction or the other."""

NEXT_CURSORS = words_in(
    "nextcursor nextpagetoken nexttoken nextmarker nextpage nextoffset nextkey endcursor "
    "cursor iterator marker continuationtoken continuation after startingafter nextpagecursor "
    "bookmark scrollid nextpageid nextstartkey lastevaluatedkey next nextiterator "
    "nextposition nextstreamposition aftercursor paginationtoken pagetoken"
)
"""Fields that hold the cursor of the next page."""

NEXT_URLS = frozenset(
    words_in(
        "nextpageuri nextpageurl nexturl nexturi nextlink odatanextlink nexthref nextrecordsurl "
        "nextpagelink nextpagehref nextrecordsuri"
    )
)
_LINKS = frozenset(words_in("links link"))
_AROUND = frozenset(words_in("links link paging pagination pages next nextpage meta page pageinfo"))

TOTALS = words_in(
    "total totalcount totalrecords totalitems itemstotal totalresults totalrows totalhits"
)
TOTAL_PAGES = words_in(
    "totalpages pagecount pagestotal pages totalpagecount lastpage numpages numberofpages totalpage"
)
MORE = frozenset(
    words_in("hasmore more hasnext hasnextpage hasmoreitems hasmoreresults moreresults morepages")
)
DONE = frozenset(words_in("done islast islastpage lastpage complete isdone finished"))
TOTAL_HEADERS = frozenset(
    words_in("xtotalcount xtotal totalcount xpaginationtotal xpaginationtotalcount")
)
PAGES_HEADERS = frozenset(
    words_in("xtotalpages xpaginationpagecount xpagecount xpaginationtotalpages")
)

_URL_TEXT = re.compile(r"\b(?:url|uri|link|href|https?)\b|://", re.IGNORECASE)
_LINK_TEXT = re.compile(
    r"\blink`?\W{0,3}(?:response )?headers?\b|header\W{0,3}\blink\b|\blink relations?\b"
    r"|rel\s*=\s*.?next|\bnext`? link\b",
    re.IGNORECASE,
)
_SIZE_TEXT = re.compile(
    r"\bmax|\bnumber of|\bper[ -]page|\bpage size|\bhow many|\blimit|\bat most"
    r"|\bup to|items? to return",
    re.IGNORECASE,
)
_STATE = re.compile(r"client state|not used for pag", re.IGNORECASE)
_PAGE_TEXT = re.compile(
    r"\bcursor\b|\btoken\b|\bopaque\b|previous(?:ly)? (?:response|request|call)", re.IGNORECASE
)


def is_size(param: Param) -> bool:
    """Whether a parameter says how many rows an answer may have."""
    if param.word not in SIZES or "boolean" in param.view.types:
        return False
    if param.view.is_number:
        return True
    text = f"{param.text} {param.view.text}"
    sure = param.word in _SURE_SIZES
    return (
        (param.view.is_text or param.view.choice)
        and sure
        and bool(not text.strip() or _SIZE_TEXT.search(text))
    )


def is_page(param: Param) -> bool:
    """Whether a parameter is the number of a page."""
    text = f"{param.text} {param.view.text}"
    if param.word not in PAGES or _STATE.search(text) or "boolean" in param.view.types:
        return False
    if param.word in ("p", "pg", "pageid"):
        return param.view.is_number and "page" in text.lower()
    return param.view.is_number or param.view.is_open or _says_number(param)


def _says_number(param: Param) -> bool:
    """A number that is declared as text: its default or example is one, or its text says so."""
    shown = [param.default, param.view.said.get("example")]
    digits = any(isinstance(one, str | int) and str(one).isdigit() for one in shown)
    text = f"{param.text} {param.view.text}"
    return not _PAGE_TEXT.search(text) and (digits or "page number" in text.lower())


def is_offset(param: Param) -> bool:
    """Whether a parameter is a number of rows to pass over."""
    if param.word not in OFFSETS or is_time_param(param):
        return False
    if not (param.view.is_number or (param.view.is_open and param.word in ("offset", "skip"))):
        return False
    if param.word in ("start", "from"):
        text = f"{param.text} {param.view.text}".lower()
        return any(
            one in text for one in ("offset", "index", "position", "skip", "first", "record")
        )
    return True


def is_cursor(param: Param) -> bool:
    """Whether a parameter takes a place in the list that an answer gave."""
    if param.word not in CURSORS or "boolean" in param.view.types:
        return False
    if param.word in _ALSO_TIMES and is_time_param(param):
        return False
    if param.word in ("next", "nextpage") and not _PAGE_TEXT.search(
        f"{param.text} {param.view.text}"
    ):
        return False
    return not param.view.is_array


def is_token_in(param: Param) -> bool:
    """A page or an offset that is text: no number, but what the last answer gave."""
    told = bool(_PAGE_TEXT.search(f"{param.text} {param.view.text}"))
    if param.word not in ("page", "offset") and not (told and param.word in ("start", "from")):
        return False
    return "string" in param.view.types and not param.view.is_number and not _says_number(param)


def speaks_of_link(text: str) -> bool:
    """Whether a text says that a Link header leads on."""
    return bool(_LINK_TEXT.search(text))


def is_url(view: View) -> bool:
    """Whether a field is said to be a URL: by its format, its text or its example."""
    if view.format in ("uri", "url", "uri-reference", "iri"):
        return True
    shown = view.said.get("example", view.said.get("default"))
    if isinstance(shown, str) and shown.startswith(("http://", "https://", "/")):
        return True
    return bool(_URL_TEXT.search(view.text))


def next_url_rank(path: tuple[str, ...], view: View, siblings: set[str]) -> int:
    """How sure a field is the URL of the next page: 3 by its name, 2 by its text, 1 perhaps."""
    words = [plain(one) for one in path]
    *above, last = words
    backwards = any(one.startswith(("prev", "first", "last", "self", "before")) for one in words)
    if backwards or not (view.is_text or view.choice) or view.is_array or view.properties:
        return 0
    if last in NEXT_URLS or _in_links(last, above):
        return 3
    if last not in ("next", "nextpage"):
        return 0
    if is_url(view):
        return 2
    around = not above or above[-1] in _AROUND
    return 1 if around and siblings & {"previous", "prev", "prevpage", "previouspage"} else 0


def _in_links(last: str, above: list[str]) -> bool:
    """`next.href`, `links.next` and `links.pages.next`."""
    if last in ("href", "uri", "url", "link"):
        return any(one in ("next", "nextpage") for one in above)
    named = last in ("next", "nextpage") and bool(above)
    return named and (
        above[-1] in _LINKS or (above[-1] == "pages" and above[-2:-1] != [] and above[-2] in _LINKS)
    )
