"""What the guard lets through: the corpus, the opt-ins, and properties against other parsers."""

from __future__ import annotations

import ipaddress
import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector_assets.errors import BlockedError, ConfigError, RequestError
from connector_assets.runtime.guard.addresses import is_metadata, special
from connector_assets.runtime.guard.guard import Guard, judge_url
from connector_assets.spec.names.url import join, locate, origin_of

CORPUS = json.loads((Path(__file__).parents[2] / "corpus" / "ssrf_urls.json").read_text("utf-8"))
PUBLIC = "93.184.216.34"


def corpus_resolver(host):
    return CORPUS["resolver"].get(host, [])


def public_resolver(host):
    return [PUBLIC]


def never(host):
    raise AssertionError(f"{host} was resolved")


SPECIAL = """
    10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.255.255 127.255.255.255 0.0.0.0
    0.255.255.255 100.64.0.0 100.127.255.255 169.254.0.0 169.254.255.255 192.0.0.255 192.0.2.255
    198.19.255.255 198.51.100.255 203.0.113.0 224.0.0.0 239.255.255.255 240.0.0.0
    255.255.255.255 192.88.99.255 192.31.196.1 192.52.193.1 192.175.48.1 168.63.129.16 :: ::1
    ::2 ::ffff:8.8.8.8 ::8.8.8.8 ::ffff:0:8.8.8.8 64:ff9b:1::1 64:ff9b::10.0.0.1 100::1
    100:0:0:1::1 2001::1 2001:2::1 2001:10::1 2001:20::1 2001:db8::1 2002:808:808::1 3fff::1
    3ffe::1 5f00::1 fc00::1 fdff::1 fe80::1 febf::1 fec0::1 ff02::1 4000::1
    2600:1f18::5efe:10.0.0.1 2600:1f18::200:5efe:127.0.0.1
"""
PUBLIC_NEIGHBOURS = """
    1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
    169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0
    192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 203.0.112.255 203.0.114.0
    223.255.255.255 168.63.129.15 168.63.129.17 2606:4700::1111 2a00:1450:4001:81b::200e
    2001:200::1 2001:4860:4860::8888 2003::1 64:ff9b::8.8.8.8 2600:1f18::5efe:8.8.8.8
"""
CASES = [case for part in CORPUS.values() if isinstance(part, list) for case in part]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_the_corpus_is_judged_as_it_says(case):
    verdict = judge_url(case["url"], resolve=corpus_resolver)
    assert verdict.allowed == (case["verdict"] == "allow"), verdict.reason
    assert verdict.allowed == bool(verdict.addresses)
    assert verdict.allowed != bool(verdict.reason)


@pytest.mark.parametrize(
    "address",
    SPECIAL.split(),
)
def test_special_addresses_are_not_public(address):
    assert special(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    PUBLIC_NEIGHBOURS.split(),
)
def test_their_neighbours_are(address):
    assert special(ipaddress.ip_address(address)) == ""


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_what_python_calls_private_is_never_public_here(address):
    if not special(address):
        assert address.is_global
        assert not address.is_private
        assert not address.is_multicast


@given(st.ip_addresses(v=4))
def test_no_ipv6_spelling_hides_a_special_ipv4_address(inner):
    number = int(inner)
    spellings = [
        number,
        0xFFFF << 32 | number,
        0xFFFF << 48 | number,
        0x64FF9B << 96 | number,
        0x2002 << 112 | number << 80 | 1,
        0x20010000 << 96 | (number ^ 0xFFFFFFFF),
        0x26001F18 << 96 | 0x5EFE << 32 | number,
    ]
    for spelling in map(ipaddress.IPv6Address, spellings):
        if special(inner):
            assert special(spelling)
        assert is_metadata(spelling) >= is_metadata(inner)


# --------------------------------------------------------------------------- reading URLs

PIECES = (
    *"/\\?#@:.;,%[] \t\n\0&=+~'\"<>|^`{}*",
    "http",
    "https",
    "://",
    "//",
    "a.example.com",
    "B.example.com",
    "127.0.0.1",
    "0x7f.1",
    "2130706433",
    "[::1]",
    "[::ffff:10.0.0.1]",
    "localhost",
    "user:pw",
    ":443",
    ":80",
    "%2f",
    "%40",
    "\u3002",
    "\uff0e",
    "\u00ad",
    "\u00e9",
    "xn--",
    "..",
)


@settings(max_examples=400)
@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), st.booleans())
@example("https://a.example.com\\@127.0.0.1/", False)
def test_what_is_accepted_has_one_reading_in_every_parser(text, bare):
    url = text if bare else f"https://a.example.com{text}"
    try:
        target = locate(url)
    except BlockedError:
        return
    assert httpx.URL(url).raw_host.decode().rstrip(".").lower() == target.host or target.address
    assert (urlsplit(url).hostname or "").encode("idna").decode().rstrip(".") == target.host or (
        target.address is not None or not urlsplit(url).netloc.isascii()
    )
    assert (urlsplit(url).port or {"http": 80, "https": 443}[target.scheme]) == target.port


@given(st.text(max_size=40))
def test_any_text_is_judged_without_a_crash(text):
    for url in (text, f"https://{text}", f"https://{text}/", f"https://a.example.com{text}"):
        assert judge_url(url, resolve=public_resolver).reason is not None


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://API.Example.com/v1?q#f", "https://api.example.com"),
        ("https://api.example.com:443", "https://api.example.com"),
        ("http://api.example.com:80/", "http://api.example.com"),
        ("https://api.example.com:0443/", "https://api.example.com"),
        ("https://api.example.com:8443/", "https://api.example.com:8443"),
        ("https://api.example.com./", "https://api.example.com"),
        ("http://[::1]:80/", "http://[::1]"),
        ("http://[0:0:0:0:0:0:0:1]:8080/", "http://[::1]:8080"),
        ("https://b\u00fccher.example.com/", "https://xn--bcher-kva.example.com"),
        ("https://B\u00dcCHER.Example.com/", "https://xn--bcher-kva.example.com"),
        ("https://stra\u00dfe.example.com/", "https://xn--strae-oqa.example.com"),
    ],
)
def test_an_origin_is_scheme_host_and_port_in_one_spelling(url, origin):
    assert origin_of(url) == origin
    assert judge_url(url.replace("[::1]", "[2606:4700::1111]"), resolve=public_resolver)


@pytest.mark.parametrize(
    "host", ["boo\u212aing.example.com", "\u0130x.example.com", "a\u2024example.com", "\uff41.com"]
)
def test_a_letter_that_only_looks_like_ascii_is_refused(host):
    assert not judge_url(f"https://{host}/", resolve=public_resolver).allowed


@pytest.mark.parametrize(
    "reference",
    [
        "/\\127.0.0.1/x",
        "\\\\127.0.0.1\\x",
        "http:\\\\169.254.169.254\\",
        "///127.0.0.1/x",
        "////127.0.0.1",
        "https:127.0.0.1",
        "https:/127.0.0.1",
        "https:///127.0.0.1",
        "file:///etc/passwd",
        "ftp://api.example.com/",
        "data:text/plain,x",
        "javascript:alert(1)",
        "http://2852039166/",
        "https://x:y@api.example.com/",
        "//x@api.example.com/",
        "//a b.example.com/",
        "https://api.example.com :443/",
        "/a\r\nX-Evil: 1",
        "\t//127.0.0.1",
        "//127.1/",
    ],
)
def test_odd_links_are_refused_not_guessed(reference):
    with pytest.raises(BlockedError):
        join("https://api.example.com/v1/items?page=1", reference)


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("/p2", "https://api.example.com/p2"),
        (" /a b?q=c d ", "https://api.example.com/a%20b?q=c%20d"),
        ("p2", "https://api.example.com/v1/p2"),
        ("?page=2", "https://api.example.com/v1/items?page=2"),
        ("../p2", "https://api.example.com/p2"),
        ("//cdn.example.com/x", "https://cdn.example.com/x"),
        ("https://cdn.example.com:8443/x?next=http://127.0.0.1/\\", None),
        ("/services/data/v59.0/query/01g-2000", None),
        ("/.//127.0.0.1/", "https://api.example.com//127.0.0.1/"),
    ],
)
def test_links_are_read_beside_the_page_they_stood_on(reference, url):
    joined = join("https://api.example.com/v1/items?page=1", reference)
    if url:
        assert joined == url
    else:
        assert joined.endswith(reference)


# --------------------------------------------------------------------------- opt-ins


def allowed(url, *entries, resolve=never):
    return judge_url(url, resolve=resolve, allow_private=entries).allowed


def test_an_opt_in_opens_one_host_and_port_only():
    entry = "127.0.0.1:8000"
    assert allowed("http://127.0.0.1:8000/x", entry)
    for url in (
        "http://127.0.0.1:8001/",
        "http://127.0.0.1/",
        "http://localhost:8000/",
        "http://127.0.0.2:8000/",
        "http://[::1]:8000/",
        "http://[::ffff:127.0.0.1]:8000/",
        "http://2130706433:8000/",
        "http://169.254.169.254:8000/",
    ):
        assert not allowed(url, entry, resolve=lambda host: ["127.0.0.1"]), url
    # The literal was opened, not whatever name a stranger points at it.
    assert not allowed("http://evil.example.com:8000/", entry, resolve=lambda host: ["127.0.0.1"])


@pytest.mark.parametrize(
    ("entry", "url", "answer"),
    [
        ("localhost:8000", "http://localhost:8000/", ["127.0.0.1", "::1"]),
        ("localhost", "http://LOCALHOST.:9000/", ["127.0.0.1"]),
        ("Jira.Corp.Example", "https://jira.corp.example/", ["10.0.0.5"]),
        ("[::1]:8000", "http://[::1]:8000/", None),
        ("::1", "http://[0::1]:9000/", None),
        ("10.0.0.0/8", "http://10.1.2.3/", None),
        ("10.0.0.0/8", "https://wiki/", ["10.1.2.3"]),
        ("10.0.0.0/8", "https://db.example.com/", ["10.1.2.3", PUBLIC]),
        ("fd00::/8", "https://[fd12::1]/", None),
        ("api.svc:8080", "http://api.svc:8080/", ["10.96.0.1"]),
        ("169.254.169.254", "http://169.254.169.254/", None),
        ("api.example.com:9042", "https://api.example.com:9042/", [PUBLIC]),
    ],
)
def test_each_kind_of_entry_opens_what_it_says(entry, url, answer):
    assert allowed(url, entry, resolve=(lambda host: answer) if answer else never)


@pytest.mark.parametrize(
    ("entries", "url", "answer"),
    [
        (["10.0.0.0/8"], "https://db.example.com/", ["10.1.2.3", "192.168.0.1"]),
        (["10.0.0.0/8"], "https://wiki/", [PUBLIC]),
        (["127.0.0.0/8"], "http://localhost/", ["127.0.0.1", "::1"]),
        (["jira.corp.example"], "https://x.jira.corp.example/", ["10.0.0.5"]),
        (["jira.corp.example:443"], "https://jira.corp.example:8443/", ["10.0.0.5"]),
        (["meta.example.com"], "https://meta.example.com/", ["169.254.169.254"]),
        (["169.254.0.0/16"], "http://169.254.169.254/", None),
        (["0.0.0.0/0"], "http://169.254.169.254/", None),
        (["::/0"], "http://[fd00:ec2::254]/", None),
        (["::/0", "0.0.0.0/0"], "http://[64:ff9b::a9fe:a9fe]/", None),
        (["metadata.google.internal"], "http://metadata.google.internal/", ["169.254.169.254"]),
        (["127.0.0.1"], "http://127.0.0.1:6379/", None),
    ],
)
def test_an_entry_opens_nothing_beside_it(entries, url, answer):
    assert not allowed(url, *entries, resolve=(lambda host: answer) if answer else never)


def test_a_name_may_lead_to_metadata_only_if_both_are_listed():
    entries = ["metadata.google.internal", "169.254.169.254:80"]
    url = "http://metadata.google.internal/"
    assert allowed(url, *entries, resolve=lambda host: ["169.254.169.254"])


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "http://127.0.0.1:80",
        "10.0.0.1/8",
        "a b",
        "*.example.com",
        "host:0",
        "host:x",
        "1.2",
        "[::1",
    ],
)
def test_an_entry_that_cannot_be_read_is_an_error_at_once(entry):
    with pytest.raises(ConfigError, match="allow_private"):
        Guard([entry])


# --------------------------------------------------------------------------- resolution


def test_a_range_opens_an_inside_name_only_where_all_its_addresses_are_in_it():
    for addresses, allowed in ((["10.0.0.5"], True), (["10.0.0.5", "93.184.216.34"], False)):
        guard = Guard(["10.0.0.0/8"], lambda _, found=addresses: found)
        assert guard.judge("http://db.internal/").allowed is allowed


def test_names_for_the_inside_are_refused_without_asking_a_resolver():
    for host in ("localhost", "a.localhost", "intranet", "x.internal", "printer.local", "a.svc"):
        assert not judge_url(f"https://{host}/", resolve=never).allowed


@pytest.mark.parametrize(
    "error", [UnicodeError("label too long"), socket.gaierror(-2, "no"), OSError(), ValueError()]
)
def test_a_resolver_that_raises_is_a_plain_refusal(error):
    def raising(host):
        raise error

    verdict = judge_url("https://api.example.com/", resolve=raising)
    assert not verdict.allowed
    assert "resolv" in verdict.reason
    with pytest.raises((BlockedError, RequestError)):
        Guard(resolver=raising).addresses("api.example.com", 443)


@pytest.mark.parametrize("answer", [["fe80::1%eth0"], ["nonsense"], ["127.1"], [""], [" 1.1.1.1"]])
def test_an_answer_that_is_no_plain_address_is_refused(answer):
    assert not judge_url("https://api.example.com/", resolve=lambda host: answer).allowed


def test_every_address_of_a_long_answer_is_judged():
    public = [str(ipaddress.ip_address("93.184.0.0") + n) for n in range(1000)]
    assert not judge_url(
        "https://a.example.com/", resolve=lambda host: [*public, "10.0.0.5"]
    ).allowed
    assert judge_url("https://a.example.com/", resolve=lambda host: public).addresses == tuple(
        public
    )
