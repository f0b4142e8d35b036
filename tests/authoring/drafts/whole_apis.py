"""APIs with documentation: pages on a server of their own, and an API that the simulator serves.

Each folder of `whole/` has the documentation of one API as a vendor might write it, and in
`truth.yaml` the connector that is right. ORIGIN and HOST in the pages stand for its API's address.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector_assets.authoring.drafts.bounds import Spent
from connector_assets.authoring.drafts.drafting import Wanted, draft_from_docs, fetch_in_bounds
from connector_assets.authoring.simulator.simulated import Simulated, simulated
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.document import read_connector
from tests.loopback import Api, serving

WHOLE = Path(__file__).parent / "whole"
NAMES = sorted(one.name for one in WHOLE.iterdir())


@dataclass(frozen=True)
class Documented:
    """One API as it runs: `docs` is the server of its pages, `start` the URL of the first."""

    name: str
    truth: dict[str, Any]
    api: Simulated
    docs: Api
    start: str

    def draft(self) -> dict[str, Any]:
        """The answer of a draft of its documentation by rules."""
        spent = Spent()
        with HttpRuntime(allow_private=(self.docs.host,), max_attempts=1) as runtime:
            wanted = Wanted(url=self.start, tries=False)
            return draft_from_docs(wanted, fetch_in_bounds(runtime, spent), spent)


@contextmanager
def documented(name: str) -> Iterator[Documented]:
    """The API `name` with its pages, as long as the block lasts."""
    folder = WHOLE / name
    truth = dict(read_connector((folder / "truth.yaml").read_text()).yaml.data)
    with simulated(truth) as api:
        origin = f"https://api.{name}.example"

        def page(asked: Any) -> Any:
            file = folder / asked.path.removeprefix("/docs/")
            if asked.path == "/robots.txt" or not file.is_file():
                return 404, {"error": "no such page"}
            text = file.read_text().replace("ORIGIN", origin)
            kinds = {".html": "text/html", ".json": "application/json"}
            kind = kinds.get(file.suffix, "text/markdown")
            return 200, text.replace("HOST", origin[8:]).encode(), {"Content-Type": kind}

        with serving(page) as docs:
            first = "index.html" if (folder / "index.html").is_file() else "index.md"
            yield Documented(name, truth, api, docs, f"{docs.origin}/docs/{first}")
