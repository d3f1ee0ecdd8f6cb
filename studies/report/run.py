# SPDX-License-Identifier: MIT
"""Pages of a scan of the Ising model, of the phi^4 field, and of a cluster, as a browser shows them.

    python -m studies.report.run

Needs Chromium. Writes ``ising.png``, ``phi4.png`` and ``lj13.png``; the pages themselves are not kept.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ISING = "scan ising --extent 8 --temperature 2.0:2.6:4 --n-steps 200"
PHI4 = "scan phi4 --extent 8 --kappa 0.2:0.28:3 --lam 0.022 --n-steps 300"
LJ13 = "sample lennard-jones -p n_particles=13 --algorithm hmc --n-chains 4 --n-sweeps 4000 --keep"
COMMANDS = {
    "ising": f"{ISING} --method edg --method wolff --method exact",
    "phi4": f"{PHI4} --method edg --method embedded_wolff",
    "lj13": LJ13,
}
_BROWSER = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
_WINDOW = "--hide-scrollbars --window-size=1100,3200"


def main() -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("Chromium is needed for the pictures")
    path = os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    with tempfile.TemporaryDirectory() as name:
        for case, words in COMMANDS.items():
            for command in (f"{words} --quiet --out {case}.nc", f"report {case}.nc -o {case}.html"):
                arguments = [sys.executable, "-m", "edgphys", *command.split()]
                subprocess.run(arguments, cwd=name, env=os.environ | {"PYTHONPATH": path}, check=True)
            page = [
                f"--user-data-dir={name}/user",
                f"--screenshot={HERE / case}.png",
                f"file://{name}/{case}.html",
            ]
            subprocess.run([browser, *_BROWSER.split(), *_WINDOW.split(), *page], check=True)


if __name__ == "__main__":
    main()
