"""The connection document: what it takes, what it refuses, and what it says about a stream."""

from __future__ import annotations

import pytest

from connector_assets.errors import SpecError
from connector_assets.spec.document import parse_connection
from connector_assets.spec.names.cron import check_cron
from connector_assets.spec.stream.stream import Stream
from tests.spec.documents import SEED

MINIMAL = 'kind: connection\nversion: "1.0"\nid: crm\nconnector: salesforce_rest\n'
FULL = (
    MINIMAL
    + """\
config:
  instance_url: https://example.my.salesforce.com
  start: 2024-01-01
  tables: [a, b]
secrets:
  accessToken: {env: CRM_TOKEN}
  key: {file: /run/secrets/key}
auth: oauth2
vars:
  soql: "SELECT FIELDS(ALL) FROM {{resourceType}} LIMIT 200"
streams:
  Account: {writeMode: append, vars: {soql: x}, group: sales, owners: ["team:crm"], tags: {tier: gold}}
  Contact:
destination: duckdb:///data.duckdb
schedule: "0 6 * * mon-fri"
pool: salesforce
group: crm
owners: [data@example.com]
tags: {domain: sales}
"""
)

ACCOUNT, CONTACT = Stream(name="Account"), Stream(name="Contact")


def lines(text):
    try:
        parse_connection(text)
    except SpecError as error:
        return [str(fault) for fault in error.faults]
    return []


def test_a_minimal_connection_reads_every_stream():
    connection = parse_connection(MINIMAL)
    assert connection.stream_names == ()
    assert connection.overridden(ACCOUNT) == ACCOUNT
    assert connection.vars_of("any") == {}


def test_a_connection_says_what_changes_in_a_stream():
    connection = parse_connection(FULL)
    assert connection.stream_names == ("Account", "Contact")
    assert connection.overridden(ACCOUNT).mode == "append"
    assert connection.overridden(CONTACT) == CONTACT
    assert connection.vars_of("Account")["soql"].source == "x"
    assert connection.vars_of("Contact")["soql"].names == {"resourceType"}
    assert connection.asset_settings("Account").group == "sales"
    assert connection.asset_settings("Contact").group == "crm"
    assert connection.asset_settings("Contact").owners == ("data@example.com",)
    assert connection.asset_settings("Account").tags == {"domain": "sales", "tier": "gold"}
    assert connection.schedule_of("Account") == "0 6 * * mon-fri"
    assert connection.config["start"].source == "2024-01-01"
    assert connection.secrets["accessToken"].env == "CRM_TOKEN"


def test_streams_may_be_a_list_of_names():
    connection = parse_connection(MINIMAL + "streams: [Account]")
    assert connection.stream_names == ("Account",)
    assert connection.overridden(ACCOUNT) == ACCOUNT


FAULTS = [
    ("secrets: {token: sk_live_51HxX}",
     "secrets.token: must be {env: NAME} or {file: PATH}; a secret is never written here"),
    ("secrets: {token: {}}", "secrets.token: must be {env: NAME} or {file: PATH}"),
    ("secrets: {token: {env: A, file: b}}", "secrets.token: must be {env: NAME} or {file: PATH}"),
    ("secrets: {token: {env: a-b}}", "secrets.token.env: must be the name of an environment variable"),
    ("secrets: {token: {enw: A}}", 'secrets.token.enw: is not a known key; did you mean "env"?'),
    ("config: {a: {b: 1.10}}",
     "config.a.b: would be sent as 1.1; quote it to send it as it is written"),
    ("config: {a: 1.10}", "config.a: would be sent as 1.1; quote it to send it as it is written"),
    ("config: {item: 1}", "config.item: is a name that templates have already; choose another"),
    ("vars: {1a: x}", "vars.1a: must be a name of letters, digits and underscores"),
    ('config: {a: "{{secrets.x}}"}',
     'config.a: "secrets.x" must not stand here; secrets go in auth, url, headers, params and body'),
    ('vars: {a: "{{item.x}}"}',
     'vars.a: nothing gives "item.x" a value here; it comes with forEach'),
    ("streams: []", "streams: must not be empty; leave it out to read all"),
    ("streams: {}", "streams: must not be empty; leave it out to read all"),
    ("streams: [a, a]", "streams.1: is the same name as streams.0; choose another"),
    ("streams: {a: {writeMod: append}}",
     'streams.a.writeMod: is not a known key; did you mean "writeMode"?'),
    ("streams: {a: {writeMode: upsert}}",
     'streams.a.writeMode: "upsert" is not known; use one of append, replace, merge'),
    ("streams: all", "streams: must be a list or a mapping"),
    ("schedule: hourly", 'schedule: must be a cron expression of five fields, such as "0 6 * * *"'),
    ("schedule: 60 * * * *", "schedule: must have a minute from 0 to 59"),
    ("destination: data.duckdb", "destination: must be a URL such as duckdb:///data.duckdb"),
    ("destination: postgres://me:hunter2@db/x",
     "destination: must not hold a password; give it through the environment"),
    ("destination: postgresql://h/db?user=me&password=hunter2",
     "destination: must not hold a password; give it through the environment"),
    ("destination: postgresql://h/db?sslpass%77ord=hunter2",
     "destination: must not hold a password; give it through the environment"),
    ("destination: postgresql://me:hun/ter2@db/x",
     "destination: must not hold a password; give it through the environment"),
    ("owners: [me]", 'owners.0: must be an e-mail address, or a team as in "team:data"'),
    ("tags: {a b: c}", 'tags."a b": must be named by up to 63 letters, digits, \'_\', \'.\' and \'-\''),
    ("group: a-b", "group: must be letters, digits and underscores"),
    ("auth: -1", "auth: must be a whole number of at least 0 or text"),
    ("endpoints: []", "endpoints: is not a known key; use one of kind, version, id, connector"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "line"), FAULTS, ids=lambda value: value[:30])
def test_a_connection_that_is_refused_says_why(more, line):
    found = lines(MINIMAL + more)
    assert len(found) == 1
    assert found[0].startswith(line), found


def test_a_wrong_name_is_shown_at_the_name():
    with pytest.raises(SpecError) as caught:
        parse_connection(MINIMAL + "vars: {1a: x}")
    assert [(fault.line, fault.column) for fault in caught.value.faults] == [(5, 8)]


def test_a_connector_is_not_taken_for_a_connection():
    assert lines(SEED) == ['kind: must be "connection"; this document is a connector']


@pytest.mark.parametrize(
    "text",
    ["* * * * *", "0 6 * * *", "*/15 * * * *", "0 0 1,15 * *", "0 9-17/2 * * mon-fri", "5 4 * jan sun",
     "0 0 * * 7", "@daily", "@hourly", "0  6 * * *"],
)  # fmt: skip
def test_a_cron_expression_is_taken(text):
    assert check_cron(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8",
     "*/0 * * * *", "5-1 * * * *", "a * * * *", "1,,2 * * * *", "@reboot", "-1 * * * *", "1- * * * *",
     "\uff11 * * * *", "* * * foo *", "*/99 * * * *"],
)  # fmt: skip
def test_what_is_no_cron_expression_is_refused(text):
    with pytest.raises(ValueError, match="must "):
        check_cron(text)
