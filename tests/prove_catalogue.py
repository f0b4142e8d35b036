"""Tries specs of the catalogue and writes down what held: `python -m tests.prove_catalogue [ID …]`.

Without ids, each spec that is not proven as it stands. `--compared ID… --says "pages"` writes that
somebody held them against the vendor's pages, `--server ID… --says NAME` that a server read so.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys

from connector_assets.catalogue import proofs, shelf
from connector_assets.spec.yaml.yaml_source import read_yaml
from connector_assets.spec.yaml.yaml_text import read_file


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("ids", nargs="*")
    asked.add_argument("--compared", action="store_true")
    asked.add_argument("--server", action="store_true")
    asked.add_argument("--says", default="")
    said = asked.parse_args()
    how = "compared" if said.compared else "server" if said.server else "simulated"
    failed = 0
    for path in shelf.files():
        if said.ids and path.stem not in said.ids:
            continue
        data = read_yaml(read_file(path)).data
        if not said.ids and proofs.holding(data, proofs.written().get(path.stem, ()), (how,)):
            continue
        if how == "simulated" and not held(path.stem):
            failed += 1
            continue
        write(path.stem, how, said.says, proofs.digest(data))
        print(f"{path.stem}: {how}", flush=True)
    return min(failed, 1)


def held(name: str) -> bool:
    command = [sys.executable, "-m", "connector_assets.cli", "test", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name}: failed\n{done.stdout}{done.stderr}", flush=True)
    return done.returncode == 0


def write(name: str, how: str, says: str, digest: str) -> None:
    known = proofs.written()
    others = [one for one in known.get(name, []) if one["how"] != how]
    proof = {"how": how, "on": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}", "digest": digest}
    known[name] = [*others, proof | ({"says": says} if says else {})]
    text = json.dumps(dict(sorted(known.items())), indent=1, ensure_ascii=False)
    (shelf.folder() / proofs.FILE).write_text(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
