"""Takes the pictures of docs/img: Dagster's UI and the studio in real processes, as users see them.

    make pictures        # needs a Chromium, as Debian's package `chromium`

`dg dev` and the studio serve the project beside this file, a headless Chromium opens their pages
and clicks what a person would click. Nothing but loopback is asked.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from demo.process import running
from pictures.bookshop import PORT, serving

HERE = Path(__file__).resolve().parent
IMAGES = HERE.parent / "docs" / "img"
UI_PORT = 3333
STUDIO_PORT = 3344
UI = f"http://127.0.0.1:{UI_PORT}"
WIDTH, HEIGHT, COLORS = 1280, 800, 96
_PATIENCE_S = 300
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_DG = "from dagster_dg_cli.cli import main; main()"
_RUNS = "{runsOrError(limit: 1) {... on Runs {results {runId status}}}}"
_BACKFILL = """mutation($params: LaunchBackfillParams!) {
launchPartitionBackfill(backfillParams: $params)
{__typename ... on LaunchBackfillSuccess {backfillId} ... on PythonError {message}}}"""


class Desk:
    """A browser at the UI, and what is asked of Dagster beside it."""

    def __init__(self, page: Page, wanted: Sequence[str], link: str = "") -> None:
        self.page, self.wanted, self.link = page, wanted, link

    def ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"{UI}/graphql", body, {"Content-Type": "application/json"}
        )
        with _DIRECT.open(request, timeout=60) as answer:
            return json.load(answer)["data"]

    def open(self, path: str, sign: str, height: int = HEIGHT) -> None:
        """The page at `path`, once it shows `sign`."""
        self.page.set_viewport_size({"width": WIDTH, "height": height})
        self.page.goto(f"{UI}{path}")
        self.page.get_by_text(sign).first.wait_for(timeout=_PATIENCE_S * 1000)
        self.rest()

    def rest(self, seconds: float = 3) -> None:
        """Let what is being drawn settle."""
        self.page.wait_for_timeout(seconds * 1000)

    def take(self, name: str, height: int | None = None) -> None:
        """A picture of what is to be seen, with few colours so that it is small."""
        if self.wanted and name not in self.wanted:
            return
        self.page.mouse.move(WIDTH - 5, 5)
        self.rest(1)
        shot = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        shot = shot.crop((0, 0, WIDTH, height or shot.height))
        small = shot.quantize(COLORS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        path = IMAGES / f"{name}.png"
        small.save(path, optimize=True)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB", flush=True)

    def last_run(self) -> tuple[str, str]:
        (run,) = self.ask(_RUNS)["runsOrError"]["results"] or [{"runId": "", "status": ""}]
        return run["runId"], run["status"]

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not true():
            if time.monotonic() > deadline:
                self.page.screenshot(path="/tmp/pictures-stuck.png")
                sys.exit("Dagster took too long")
            self.rest(0.5)

    def materialize(self, path: str, sign: str) -> str:
        """Click the button of an asset; the run that it began."""
        before = self.last_run()[0]
        self.open(path, sign)
        self.page.get_by_role("button", name="Materialize").first.click()
        self.until(lambda: self.last_run()[0] != before)
        return self.last_run()[0]

    def ended(self) -> bool:
        return self.last_run()[1] in {"SUCCESS", "FAILURE", "CANCELED"}


def before(desk: Desk) -> None:
    desk.open("/assets/bookshop/books", "Every book that was ever on sale", 880)
    desk.take("asset-before")
    desk.open(
        "/locations/connector_assets.definitions/asset-groups/bookshop/lineage", "reviews", 1200
    )
    desk.rest(4)
    desk.take("lineage")


def loaded(desk: Desk) -> None:
    for stream in ("books", "reviews"):
        desk.materialize(f"/assets/bookshop/{stream}", "Latest")
        desk.until(desk.ended)
    desk.open("/assets/bookshop/books", "Row count", 1000)
    desk.take("asset-after")
    desk.page.get_by_text("Filter metadata keys").or_(
        desk.page.get_by_placeholder("Filter metadata keys")
    ).first.scroll_into_view_if_needed()
    desk.page.mouse.move(WIDTH / 2, HEIGHT / 2)
    desk.page.mouse.wheel(0, 2000)
    desk.rest(1)
    desk.take("asset-metadata")
    desk.open("/assets/bookshop/books?view=checks", "min_rows")
    desk.page.get_by_text("priced").first.click()
    desk.rest()
    desk.take("checks")
    desk.open("/assets/bookshop/reviews?view=lineage", "books")
    desk.take("asset-lineage")


def watched(desk: Desk) -> None:
    run = desk.materialize("/assets/bookshop/archive", "Latest")
    desk.open(f"/runs/{run}", "rows in")
    desk.rest(12)
    desk.take("run-progress")
    desk.page.get_by_role("button", name="Terminate").first.click()
    desk.rest(1)
    desk.page.get_by_role("dialog").get_by_role("button", name="Terminate").click()
    desk.until(desk.ended)
    desk.open(f"/runs/{run}", "Canceled")
    desk.take("run-canceled", 335)


def partitioned(desk: Desk) -> None:
    days = ["2026-11-02", "2026-11-03", "2026-11-04"]
    before = desk.last_run()[0]
    desk.ask(
        _BACKFILL,
        params={
            "assetSelection": [{"path": ["bookshop", "orders"]}],
            "partitionNames": days,
        },
    )
    desk.until(lambda: desk.last_run()[0] != before)
    desk.until(desk.ended)
    desk.open("/assets/bookshop/orders?view=partitions", "2026-11-04")
    desk.page.get_by_text("2026-11-03").first.click()
    desk.rest()
    desk.take("partitions")


def failed(desk: Desk) -> None:
    run = desk.materialize("/assets/bookshop/payments", "Latest")
    desk.until(desk.ended)
    desk.open(f"/runs/{run}", "RUN_FAILURE", 940)
    desk.page.get_by_placeholder("Filter…").fill("failed.")
    desk.rest(4)
    desk.take("failed-step")


def studio(desk: Desk) -> None:
    page = desk.page
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    page.goto(desk.link)
    page.get_by_text("Is your API here?").wait_for()
    desk.take("studio-catalogue")
    page.goto(f"http://127.0.0.1:{STUDIO_PORT}/builder?spec=bookshop")
    page.get_by_role("button", name="Load the first page").click()
    page.get_by_text("50 rows; the list goes on").wait_for()
    desk.take("studio-builder")
    page.emulate_media(color_scheme="dark")
    page.get_by_label("the simulator").check()
    page.get_by_text("settings of the simulator").click()
    page.locator("#fault").select_option("drift")
    page.get_by_role("button", name="Add").click()
    page.get_by_role("button", name="Load the first page").click()
    page.get_by_text("; the list goes on").wait_for()
    page.get_by_role("button", name="To the end").click()
    page.get_by_text("this is the whole list").wait_for()
    page.get_by_role("tab", name="Columns").click()
    desk.take("studio-simulator")
    page.emulate_media(color_scheme="light")


STEPS = {one.__name__: one for one in (before, loaded, watched, partitioned, failed, studio)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pictures", description=__doc__)
    parser.add_argument("--venv", default=HERE.parent / ".venv", help="environment of `dg`")
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    parser.add_argument("--only", nargs="*", default=[], help="pictures, by name")
    parser.add_argument("--steps", nargs="*", choices=STEPS, default=list(STEPS))
    asked = parser.parse_args()
    if not asked.chromium:
        sys.exit("no Chromium; install one, or name it with --chromium")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, serving():
        project = Path(shutil.copytree(HERE / "project", Path(folder) / "bookshop"))
        home = project / "dagster_home"
        home.mkdir()
        (home / "dagster.yaml").write_text("telemetry: {enabled: false}\nnux: {enabled: false}\n")
        (home / "dg.toml").write_text(
            "[cli]\nsuppress_warnings = ['dg_outdated', 'create_dagster_outdated']\n"
            "[cli.telemetry]\nenabled = false\n"
        )
        environ = {
            "DAGSTER_HOME": str(home),
            "DG_CLI_CONFIG": str(home / "dg.toml"),
            "CONNECTOR_ASSETS_ALLOW_PRIVATE": f"127.0.0.1:{PORT}",
            "BOOKSHOP__TOKEN": "a-key-of-the-shop",
            "TZ": "UTC",
        }
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        # Under a name of its own, or stack traces would show where this checkout is.
        (project / ".venv").symlink_to(asked.venv)
        command = [str(project / ".venv/bin/python"), "-c", _DG, "dev"]
        command += ["-m", "connector_assets.definitions"]
        command += ["--host", "127.0.0.1", "--port", str(UI_PORT)]
        page = [str(project / ".venv/bin/connector-assets"), "studio", "--no-open"]
        page += ["--port", str(STUDIO_PORT)]
        log, link = project / "dg.log", project / "studio.log"
        with (
            log.open("wb") as output,
            running(command, env=environ, output=output, folder=project),
            link.open("wb") as said,
            running(page, env=environ, output=said, folder=project),
        ):
            try:
                _take(asked, link)
            except BaseException:
                sys.stderr.write(log.read_text(errors="replace")[-3000:])
                raise


def _take(asked: argparse.Namespace, link: Path) -> None:
    _await_ui()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=asked.chromium, args=["--no-sandbox"])
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, timezone_id="UTC", locale="en-GB"
        )
        page.set_default_timeout(_PATIENCE_S * 1000)
        desk = Desk(page, asked.only, link.read_text().strip())
        for name in asked.steps:
            print(name, flush=True)
            STEPS[name](desk)
        browser.close()


def _await_ui() -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        try:
            with _DIRECT.open(f"{UI}/server_info", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    sys.exit("Dagster's UI did not start")


if __name__ == "__main__":
    main()
