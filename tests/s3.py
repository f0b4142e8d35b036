"""An S3 server for tests: moto's, which has an environment of its own, as its pins clash with ours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from tests.third_party.environments import python_environment
from tests.third_party.process import answering, free_port

SECRET = "s3cret-of-the-bucket"
REGION = "eu-west-1"


@contextmanager
def serving_s3(folder: Path, bucket: str = "lake") -> Iterator[str]:
    """The server's URL, with a bucket, and what clients need in the environment."""
    from botocore.session import Session
    from s3fs import S3FileSystem

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [python_environment("moto") / "moto_server", "-H", "127.0.0.1", "-p", str(port)]
    given = {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }
    with patch.dict(os.environ, given), answering(command, url, folder):
        where = {"LocationConstraint": REGION}
        client = Session().create_client("s3")
        client.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
        S3FileSystem.clear_instance_cache()  # which would ask the server of an earlier test
        yield url
