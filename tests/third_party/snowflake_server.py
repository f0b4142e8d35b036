"""fakesnow behind what the connector of Snowflake asks a real server besides; run in its own environment.

fakesnow answers statements from DuckDB. What is added here, from Snowflake's documentation: logins
that fail, the implicit commit of DDL, results in chunks that are had again by the query's id,
unloading into a stage, and GET, LIST and REMOVE. Each statement is written to a log, for tests to
read. It imports nothing of this project.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gzip
import json
import re
import shutil
import uuid
from email.utils import formatdate
from pathlib import Path
from typing import Any

import fakesnow.arrow
import fakesnow.cursor
import fakesnow.server as fake
import jwt
import pyarrow as pa
import uvicorn
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from fakesnow.arrow import to_ipc, to_sf
from fakesnow.dialect import parse_one
from fakesnow.rowtype import describe_as_rowtype
from fakesnow.transforms import transforms
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_DDL = re.compile(r"\s*(create|alter|drop|truncate|comment|use)\b", re.IGNORECASE)
_TEMPORARY = re.compile(r"\s*create\s+(or\s+replace\s+)?temp", re.IGNORECASE)
_UNLOAD = re.compile(
    r"copy into @~/(\S+?)/?\s+from\s+\((.*)\)\s+file_format\s*=\s*\((.*?)\)(.*)$",
    re.IGNORECASE | re.DOTALL,
)
_ON_STAGE = re.compile(r"(list|remove|get)\s+'?@~/([^\s']+)'?\s*(.*)$", re.IGNORECASE | re.DOTALL)


_DESCRIBE = re.compile(r"describe\s+table\s+(.+)$", re.IGNORECASE | re.DOTALL)
_TYPES = {
    "BIGINT": "NUMBER(38,0)",
    "DOUBLE": "FLOAT",
    "JSON": "VARIANT",
    "BLOB": "BINARY(8388608)",
    "TIME": "TIME(9)",
    "TIMESTAMP": "TIMESTAMP_NTZ(9)",
    "TIMESTAMP_NS": "TIMESTAMP_NTZ(9)",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP_TZ(9)",
}


class Options:
    """What this server was started with."""

    log: Path
    stage: Path
    chunk_rows: int
    file_rows: int
    public_key: Path | None


results: dict[str, tuple[pa.Table | None, list[Any]]] = {}
in_transaction: dict[str, bool] = {}


def refusal(code: str, message: str, state: str = "08001") -> JSONResponse:
    return JSONResponse(
        {
            "data": {"errorCode": code, "sqlState": state},
            "code": code,
            "message": message,
            "success": False,
        }
    )


async def body_of(request: Request) -> dict[str, Any]:
    body = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    return json.loads(body)


# One statement at a time: fakesnow's sessions are threads of one DuckDB, and wait for each other.
turn = asyncio.Lock()


async def login(request: Request) -> Response:
    async with turn:
        return await logged_in(request)


async def logged_in(request: Request) -> Response:
    data = (await body_of(request))["data"]
    if refused := _refused(data, request.query_params.get("roleName", "")):
        return refused
    for token, is_open in list(in_transaction.items()):
        # What a client that was killed had begun: Snowflake undoes it once it has been in others'
        # way for five minutes, and this server as soon as somebody comes.
        if is_open and token in fake.sessions:
            fake.sessions[token].cursor().execute("rollback")
        in_transaction[token] = False
    note("login", {key: data.get(key) for key in ("AUTHENTICATOR", "LOGIN_NAME")})
    note("session", data["SESSION_PARAMETERS"])
    answer = json.loads((await fake.login_request(request)).body)
    warehouse = request.query_params.get("warehouse", "")
    session = fake.sessions[answer["data"]["token"]]._duck_conn
    for name, value in {
        "warehouse": "" if warehouse.upper() == "NOWHERE" else warehouse.upper(),
        "role": request.query_params.get("roleName", "").upper() or "PUBLIC",
    }.items():
        session.execute(f"create temp macro current_{name}() as nullif('{value}', '')")
    answer["data"] |= {
        "masterToken": "master",
        "validityInSeconds": 3600,
        "masterValidityInSeconds": 14400,
        "sessionId": 1,
    }
    return JSONResponse(answer)


def _refused(data: dict[str, Any], role: str) -> Response | None:
    way = data.get("AUTHENTICATOR", "SNOWFLAKE").upper()
    if role == "NOBODY":
        what = "Role 'NOBODY' specified in the connect string does not exist or not authorized."
        return refusal("390189", what)
    if way == "SNOWFLAKE_JWT":
        assert Options.public_key
        key = load_pem_public_key(Options.public_key.read_bytes())
        try:
            jwt.decode(data["TOKEN"], key, algorithms=["RS256"])
        except jwt.PyJWTError:
            return refusal("390144", "JWT token is invalid.")
        return None
    if way == "OAUTH":
        good = data.get("TOKEN") == "good-token"
        return None if good else refusal("390303", "Invalid OAuth access token.")
    good = data.get("PASSWORD") == "good-password"
    return None if good else refusal("390100", "Incorrect username or password was specified.")


async def query(request: Request) -> Response:
    async with turn:
        return await answered(request)


async def answered(  # noqa: PLR0911, PLR0912 # a kind of statement each
    request: Request,
) -> Response:
    body = await body_of(request)
    sql, token = body["sqlText"].strip(), fake.to_token(request)
    try:
        connection = fake.to_conn(token)
    except fake.ServerError as error:
        return JSONResponse(
            {"data": None, "code": error.code, "message": error.message, "success": False}, 401
        )
    if not body.get("describeOnly"):
        note("sql", sql)
    if re.match(r"begin\b", sql, re.IGNORECASE):
        in_transaction[token] = True
    elif re.match(r"(commit|rollback)\b", sql, re.IGNORECASE):
        in_transaction[token] = False
    elif in_transaction.get(token) and _DDL.match(sql):
        # Snowflake's DDL ends the transaction that is under way.
        connection.cursor().execute("commit")
        in_transaction[token] = False
        note("committed", sql)
    if found := _UNLOAD.match(sql):
        return await asyncio.to_thread(unload, connection, *found.groups())
    if re.match(r"comment on\b", sql, re.IGNORECASE):
        # fakesnow keeps comments elsewhere, and not such with a quote in them.
        connection.cursor()._duck_conn.execute(sql)
        return answer_of(pa.table({"status": ["done"]}), connection)
    if re.match(r"show primary keys in database$", sql, re.IGNORECASE):
        return await asyncio.to_thread(primary_keys, connection)
    if found := _DESCRIBE.match(sql):
        return await asyncio.to_thread(describe, connection, found[1])
    if found := _ON_STAGE.match(sql):
        return await asyncio.to_thread(on_stage, request, connection, *found.groups())
    answer = await fake.query_request(request)
    told = json.loads(answer.body)
    if not told.get("success"):
        return refined(told)
    data = told["data"]
    if data.get("command") == "UPLOAD":
        data["stageInfo"] |= {"region": "", "endPoint": None, "storageAccount": None}
        data["overwrite"] = "overwrite = true" in sql.lower()
        return JSONResponse(told)
    if data.get("queryResultFormat") == "arrow" and not data.get("rowsetBase64"):
        results[data["queryId"]] = (None, data["rowtype"])
    elif data.get("queryResultFormat") == "arrow":
        raw = base64.b64decode(data["rowsetBase64"])
        results[data["queryId"]] = (pa.ipc.open_stream(raw).read_all(), data["rowtype"])
        return JSONResponse({**told, "data": chunked(request, data)})
    return JSONResponse(told)


def refined(told: dict[str, Any]) -> Response:
    """An answer with DuckDB's failures under Snowflake's numbers, as far as tests ask for them."""
    message = told.get("message") or ""
    if told.get("code") == "261000":
        return refusal("000603", "SQL execution internal error", "XX000")
    if "does not exist" in message:
        message += " or not authorized."
        return refusal("002003", f"SQL compilation error:\n{message}", "42S02")
    return JSONResponse(told)


def chunked(request: Request, data: dict[str, Any]) -> dict[str, Any]:
    """The rows of a result: few stand in the answer, more wait at an address each."""
    table, _ = results[data["queryId"]]
    size = Options.chunk_rows
    if not table or table.num_rows <= size:
        return data
    base = f"{request.url.scheme}://{request.url.netloc}/chunks/{data['queryId']}"
    chunks = [
        {
            "url": f"{base}/{number}",
            "rowCount": min(size, table.num_rows - start),
            "uncompressedSize": 1,
            "compressedSize": 1,
        }
        for number, start in enumerate(range(size, table.num_rows, size), 1)
    ]
    first = base64.b64encode(to_ipc(table.slice(0, size))).decode()
    return {**data, "rowsetBase64": first, "chunks": chunks, "chunkHeaders": {}, "qrmk": None}


async def chunk(request: Request) -> Response:
    table, _ = results[request.path_params["qid"]]
    number, size = int(request.path_params["number"]), Options.chunk_rows
    note("chunk", number)
    return Response(gzip.compress(to_ipc(table.slice(number * size, size)), 1))


async def status(request: Request) -> Response:
    known = request.path_params["qid"] in results
    found = [{"id": request.path_params["qid"], "status": "SUCCESS"}] if known else []
    return JSONResponse({"data": {"queries": found}, "success": True})


async def result(request: Request) -> Response:
    qid = request.path_params["qid"]
    note("result", qid)
    if qid not in results:
        return refusal("000709", f"Statement {qid} not found", "02000")
    table, rowtype = results[qid]
    data = {
        "parameters": [],
        "rowtype": rowtype,
        "total": table.num_rows if table else 0,
        "returned": table.num_rows if table else 0,
        "queryId": qid,
        "statementTypeId": 0x1000,
        "finalDatabaseName": None,
        "finalSchemaName": None,
        "queryResultFormat": "arrow",
        "rowsetBase64": base64.b64encode(to_ipc(table)).decode() if table else "",
    }
    return JSONResponse({"data": chunked(request, data), "success": True})


def answer_of(table: pa.Table, connection: Any) -> Response:
    """Rows of our own, as a result."""
    cursor = connection.cursor()
    cursor._duck_conn.register("_answer", table)
    described = cursor._duck_conn.execute("describe select * from _answer").fetchall()
    rowtype = describe_as_rowtype(described)
    data = {
        "parameters": [],
        "rowtype": rowtype,
        "total": table.num_rows,
        "queryId": str(uuid.uuid4()),
        "statementTypeId": 0x1000,
        "finalDatabaseName": connection.database,
        "finalSchemaName": connection.schema,
        "queryResultFormat": "arrow",
        "rowsetBase64": base64.b64encode(to_ipc(to_sf(table, rowtype))).decode(),
    }
    return JSONResponse({"data": data, "success": True})


def unload(connection: Any, place: str, select: str, form: str, options: str) -> Response:
    """Rows as Parquet files in the user's stage."""
    folder = Options.stage / place
    if folder.exists() and "overwrite = true" not in options.lower():
        return refusal("091002", "Files already existing at the unload destination", "22000")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    cursor = connection.cursor()
    try:
        cursor.execute(select)
    except Exception as error:
        return refusal("001003", f"SQL compilation error: {error}", "42000")
    table = cursor._arrow_table
    import pyarrow.parquet as pq

    for number, start in enumerate(range(0, table.num_rows, Options.file_rows)):
        rows = table.slice(start, Options.file_rows)
        pq.write_table(rows, folder / f"data_0_{number // 4}_{number % 4}.snappy.parquet")
    told = pa.table({"rows_unloaded": [table.num_rows], "input_bytes": [1], "output_bytes": [1]})
    return answer_of(told, connection)


def primary_keys(connection: Any) -> Response:
    found = connection.cursor()._duck_conn.execute(
        "select schema_name, table_name, constraint_column_names from duckdb_constraints() "
        "where database_name = ? and constraint_type = 'PRIMARY KEY' "
        "and schema_name not like '_fs%'",
        [connection.database],
    )
    rows = [
        (schema, table, column, str(number))
        for schema, table, columns in found.fetchall()
        for number, column in enumerate(columns, 1)
    ]
    names = ("schema_name", "table_name", "column_name", "key_sequence")
    told = {name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(names)}
    return answer_of(pa.table(told), connection)


def describe(connection: Any, name: str) -> Response:
    """What fakesnow's own DESCRIBE does not show: columns that were added, comments."""
    parts = [part.replace('""', '"') for part in re.findall(r'"((?:[^"]|"")*)"', name)]
    found = connection.cursor()._duck_conn.execute(
        "select c.column_name, c.data_type, ext_character_maximum_length, c.is_nullable, c.comment "
        "from duckdb_columns() c left join _fs_global._fs_information_schema._fs_columns_ext on "
        "(ext_table_catalog, ext_table_schema, ext_table_name, ext_column_name) = "
        "(c.database_name, c.schema_name, c.table_name, c.column_name) where c.database_name = ? "
        "and c.schema_name = ? and c.table_name = ? order by c.column_index",
        [connection.database, *parts[-2:]],
    )
    rows = found.fetchall()
    if not rows:
        what = f"SQL compilation error:\nTable '{name}' does not exist or not authorized."
        return refusal("002003", what, "42S02")
    types = [_type(type_, length) for _, type_, length, *_ in rows]
    told = {
        "name": [row[0] for row in rows],
        "type": types,
        "kind": ["COLUMN"] * len(rows),
        "null?": ["Y" if row[3] else "N" for row in rows],
        "default": [None] * len(rows),
        "primary key": ["N"] * len(rows),
        "unique key": ["N"] * len(rows),
        "check": [None] * len(rows),
        "expression": [None] * len(rows),
        "comment": [row[4] for row in rows],
    }
    return answer_of(
        pa.table({key: pa.array(values, pa.string()) for key, values in told.items()}), connection
    )


def _type(type_: str, length: int | None) -> str:
    if type_ == "VARCHAR":
        return f"VARCHAR({length or 16777216})"
    return (
        type_.replace("DECIMAL", "NUMBER") if type_.startswith("DEC") else _TYPES.get(type_, type_)
    )


def on_stage(request: Request, connection: Any, what: str, place: str, rest: str) -> Response:
    folder = Options.stage / place
    inside = folder.rglob("*") if folder.is_dir() else [folder]
    files = sorted(path for path in inside if path.is_file())
    if what.lower() == "get":
        base = f"{request.url.scheme}://{request.url.netloc}/stage/"
        names = [str(path.relative_to(Options.stage)) for path in files]
        local = re.match(r"'?file://([^'\s]+)'?", rest)
        data = {
            "command": "DOWNLOAD",
            "src_locations": names,
            "localLocation": local[1] if local else "",
            "presignedUrls": [base + name for name in names],
            "parallel": 4,
            "encryptionMaterial": [],
            "autoCompress": False,
            "overwrite": False,
            "sourceCompression": "none",
            "stageInfo": {
                "locationType": "GCS",
                "location": "stage/",
                "region": "",
                "endPoint": None,
                "storageAccount": None,
                "path": "",
                "creds": {},
                "presignedUrl": "",
                "isClientSideEncrypted": False,
            },
        }
        return JSONResponse({"data": data, "success": True})
    names = [str(path.relative_to(Options.stage)) for path in files]
    if what.lower() == "remove":
        for path in files:
            path.unlink()
        return answer_of(pa.table({"name": pa.array(names, pa.string())}), connection)
    told = [path.stat() for path in files]
    listed = {
        "name": pa.array(names, pa.string()),
        "size": pa.array([one.st_size for one in told], pa.int64()),
        "md5": pa.nulls(len(files), pa.string()),
        "last_modified": pa.array(
            [formatdate(one.st_mtime, usegmt=True) for one in told], pa.string()
        ),
    }
    return answer_of(pa.table(listed), connection)


async def staged(request: Request) -> Response:
    path = Options.stage / request.path_params["path"]
    note("get", request.path_params["path"])
    return Response(path.read_bytes()) if path.is_file() else Response(status_code=404)


async def forget(request: Request) -> Response:
    results.clear()
    return Response()


async def unknown(request: Request) -> Response:
    if request.method == "HEAD":
        return Response(status_code=404)
    note("unknown", f"{request.method} {request.url.path}")
    return JSONResponse({"success": True, "data": {}})


def note(kind: str, what: Any) -> None:
    with Options.log.open("a") as log:
        log.write(json.dumps([kind, what]) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--chunk-rows", type=int, default=1000)
    parser.add_argument("--file-rows", type=int, default=1000)
    parser.add_argument("--public-key", type=Path)
    given = parser.parse_args()
    Options.log, Options.stage = given.folder / "statements.log", given.folder / "stage"
    Options.chunk_rows, Options.file_rows = given.chunk_rows, given.file_rows
    Options.public_key = given.public_key
    Options.log.touch()
    # fakesnow makes a BIGINT of NUMBER(38,0), which then holds 18 digits of 38.
    fakesnow.cursor.transforms.integer_precision = _whole_numbers
    # And of MERGE several statements, of which one writes another database: none may in a
    # transaction. DuckDB has a MERGE of its own by now.
    fakesnow.cursor.transforms.merge = lambda expression: [expression]
    fakesnow.cursor.FakeSnowflakeCursor._execute = _execute
    # It looks for variables in quoted names, too, and cannot tell a time that is NULL.
    fakesnow.cursor.FakeSnowflakeCursor._inline_variables = lambda _, sql: sql
    fakesnow.arrow.timestamp_to_sf_struct = _times
    own = [
        Route("/session/v1/login-request", login, methods=["POST"]),
        Route("/queries/v1/query-request", query, methods=["POST"]),
        Route("/monitoring/queries//{qid}", status, methods=["GET"]),
        Route("/queries/{qid}/result", result, methods=["GET"]),
        Route("/forget", forget, methods=["POST"]),
        Route("/chunks/{qid}/{number}", chunk, methods=["GET"]),
        Route("/stage/{path:path}", staged, methods=["GET", "HEAD"]),
    ]
    rest = Route("/{path:path}", unknown, methods=["GET", "POST", "PUT", "HEAD"])
    uvicorn.run(Starlette(routes=[*own, *fake.routes, rest]), port=given.port, log_level="warning")


def _execute(cursor: Any, statement: Any, params: Any = None) -> None:
    """A MERGE as DuckDB's own, and its count as fakesnow tells that of others."""
    if isinstance(statement, transforms.exp.Merge):
        done = cursor._duck_conn.execute(statement.sql(dialect="duckdb"), params)
        count = done.fetchall()[0][0]
        statement = parse_one(f"select {count} as n")
        params = None
    _fakesnow_execute(cursor, statement, params)


def _times(values: Any) -> Any:
    """Times as Snowflake sends them: seconds and the rest; NULL is a NULL of the whole."""
    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    unit = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[values.type.unit]
    numbers = [
        None if one is None else divmod(one, unit) for one in values.cast(pa.int64()).to_pylist()
    ]
    rows = [
        None
        if one is None
        else {"epoch": one[0], "fraction": one[1] * (10**9 // unit), "timezone": 1440}
        for one in numbers
    ]
    fields = [("epoch", pa.int64()), ("fraction", pa.int32())]
    zone = [("timezone", pa.int32())] if values.type.tz else []
    return pa.array(rows, pa.struct([*fields, *zone]))


def _whole_numbers(expression: Any) -> Any:
    is_number = isinstance(expression, transforms.exp.DataType) and expression.expressions
    return expression if is_number else _fakesnow_integers(expression)


_fakesnow_execute = fakesnow.cursor.FakeSnowflakeCursor._execute
_fakesnow_integers = transforms.integer_precision

if __name__ == "__main__":
    main()
