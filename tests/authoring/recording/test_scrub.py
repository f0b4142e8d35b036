"""What of an answer is replaced, what stays, and that equal values stay equal."""

import json

import pytest

from connector_assets.authoring.recording.kept_bodies import KeptBody, NoText
from connector_assets.authoring.recording.personal_fields import kind_of
from connector_assets.authoring.recording.scrub import Scrubber, said_by
from connector_assets.authoring.recording.written_json import read_json, write_json
from connector_assets.redact import Secrets
from connector_assets.spec.request.formats import Csv

SECRET = "s3cr3t/Value+9"


def scrubber(**given):
    return Scrubber(Secrets({"apiKey": SECRET}).mask, **given)


def scrubbed(value, **given):
    """After two looks, as a recording has them."""
    one = scrubber(**given)
    tree = read_json(json.dumps(value))
    one.look(tree)
    return json.loads(write_json(one.data(tree)))


REPLACED = [
    ("email", "Anna.Mueller@corp.example.de", "user1@example.com"),
    ("contact", "write to a@b.io, please", "write to user1@example.com, please"),
    ("firstName", "Anna", "Xxx1"),
    ("name", "Anna Müller", "Xxxx Xxxxx1"),
    ("phone", "+49 170 1234567", "+00 000 0000001"),
    ("text", "call +49 170 1234567 now", "call +00 000 0000001 now"),
    ("mobile", 491701234567, 100000000001),
    ("latitude", 52.520008, 10.000001),
    ("date_of_birth", "1980-05-17", "1970-01-02"),
    ("ip", "93.184.216.34", "10.0.0.1"),
    ("seen_from", "2606:2800:220:1:248:1893:25c8:1946", "2001:db8::1"),
    ("iban", "DE89370400440532013000", "XX00000000000000000001"),
    ("postalCode", "10115", "00001"),
    ("access_token", "abcd-1234", "xxxx-0001"),
    ("key", "sk_live_abcdefghijkl1234", "xx_xxxx_xxxxxxxxxxxx0001"),
    ("anything", "ghp_abcdefghijklmnop1234", "xxx_xxxxxxxxxxxxxxxx0001"),
    ("session", {"value": "abc", "n": [1, "de"]}, {"value": "xx1", "n": [1, "x2"]}),
    ("url", f"https://a.io/x?k={SECRET}", "https://a.io/x?k=[secret:apiKey]"),
    ("url", "https://a.io/x?sig=Ab%2F12&n=1", "https://a.io/x?sig=Xx%2F01&n=1"),
    ("url", "https://bob:pw@a.io/x", "https://a.io/x"),
    ("note", "she is ill", "xxx xx xx1"),
]


@pytest.mark.parametrize(
    ("name", "value", "made"), REPLACED, ids=[f"{n}-{v}" for n, v, _ in REPLACED]
)
def test_what_is_of_somebody_is_replaced_in_its_shape(name, value, made):
    assert scrubbed({name: value}) == {name: made}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("file_name", "report.pdf"),
        ("status", "paid"),
        ("next_page_token", "abc123"),
        ("cursor", "eyJpZCI6MTJ9"),
        ("version", "1.2.3"),
        ("host", "127.0.0.1"),
        ("at", "2024-01-02T03:04:05Z"),
        ("id", 123456789),
        ("token_type", "bearer"),
        ("auth_count", 7),
        ("phone", None),
        ("email", ""),
        ("is_secret", True),
    ],
)
def test_what_is_of_nobody_stays(name, value):
    assert scrubbed({name: value}) == {name: value}


def test_equal_values_stay_equal_wherever_they_stand_and_others_stay_apart():
    made = scrubbed(
        {
            "owner": "anna-maria",
            "link": "https://a.io/users/anna-maria/x?user=anna%2Dmaria&l=anna-maria,berta-b",
            "page": "InVzZXI9YW5uYS1tYXJpYSI=",
            "people": [{"login": "anna-maria"}, {"login": "berta-b"}, {"login": "anna-maria"}],
        }
    )
    anna, berta, again = (one["login"] for one in made["people"])
    assert anna == again == made["owner"] != berta
    # A cursor may be made of a name, too: nobody can read it any more, and it stays one value.
    second = scrubbed({"login": "anna-maria", "c": ["InVzZXI9YW5uYS1tYXJpYSI="] * 2})
    assert second["c"][0] == second["c"][1] != "InVzZXI9YW5uYS1tYXJpYSI="
    assert "anna" not in json.dumps(made)
    assert f"/users/{anna}/x?user={anna}&l={anna},{berta}" in made["link"]


def test_what_the_spec_says_itself_stays_and_fields_can_be_chosen():
    kept = said_by({"endpoints": [{"url": "/orders", "params": {"login": "everyone"}}]})
    value = {"login": "everyone", "name": "orders", "color": "red", "city": "Rome"}
    assert scrubbed(value, kept=kept) == {**value, "city": "Xxx1"}
    nested = {"session": {"value": "abc"}}
    assert scrubbed(nested, keep=["session"]) == nested
    assert scrubbed(value, kept=kept, keep=["city"], also=["color"]) == {**value, "color": "xx1"}


def test_a_key_that_is_an_address_is_replaced_and_one_like_a_name_is_not():
    made = scrubbed({"name": "status", "status": "x", "by": {"a@b.io": 1}})
    assert made == {"name": "xxxxx1", "status": "x", "by": {"user1@example.com": 1}}


def test_different_values_never_become_one():
    rows = [{"zip": n} for n in range(1000, 2200)]
    assert len({one["zip"] for one in scrubbed(rows)}) == 1200
    short = [{"login": chr(97 + n) + chr(97 + m)} for n in range(20) for m in range(20)]
    assert len({one["login"] for one in scrubbed(short)}) == 400


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("user_name", "name"),
        ("eventName", None),
        ("Billing-Phone-Number", "phone"),
        ("addressLine1", "address"),
        ("tax_id", "number"),
        ("X-Api-Key", "secret"),
        ("sort_key", None),
        ("", None),
    ],
)
def test_kinds_go_by_the_last_words_of_a_name(name, kind):
    assert kind_of(name) == kind


def test_numbers_are_kept_as_they_are_written_and_a_key_may_stand_twice():
    text = '{"a": 1.10, "b": 1e-400, "c": 12345678901234567890.123, "a": "\\ud800"}'
    assert write_json(read_json(text), step="") == text
    assert json.loads(write_json(read_json(text)))["c"] > 1e19


def test_tables_elements_and_lines_are_scrubbed_by_their_names():
    form = Csv(delimiter=";", skipLines=1)
    raw = b'of a@b.io\r\nid;name\r\n1;"Anna; B"\r\n2;"two\r\nlines"\r\n'
    made = KeptBody.of(raw).scrubbed(scrubber(), form)
    assert made.raw() == b'of user1@example.com\r\nid;name\r\n1;"Xxxx; 1"\r\n2;"xxx\r\nxxxx2"\r\n'
    xml = b'<a x="1"><name lang="de">Anna &amp; B</name><city><![CDATA[Rome]]></city><n>1</n></a>'
    made = KeptBody.of(xml).scrubbed(scrubber())
    want = b'<a x="1"><name lang="de">Xxxx &amp; 1</name><city><![CDATA[Xxx1]]></city><n>1</n></a>'
    assert made.raw() == want
    made = KeptBody.of(b'{"login": "anna"}\n{"login": "anna"}\n').scrubbed(scrubber())
    assert (made.kind, made.raw()) == ("lines", b'{"login": "xxx1"}\n{"login": "xxx1"}\n')
    with pytest.raises(NoText):
        KeptBody.of(b"\x89PNG\xff")
