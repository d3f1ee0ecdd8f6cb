# SPDX-License-Identifier: MIT
"""Both SLURM recipes of docs/howto/cluster.md, taken from the page and submitted with smaller sizes.

Needs a SLURM cluster (one node will do) and, for the second, dask-jobqueue. The first is stopped by the
signal that its time limit would send, once two cells are finished, and submitted again. Are the datasets
those of a scan here? Result in README.md.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from edgphys import dataset
from edgphys.reruns.comparison import differences
from studies.cluster.loopback import ROOT
from studies.cluster.run import here

PAGE = ROOT / "docs" / "howto" / "cluster.md"
SCAN = (
    "scan ising --extent 8 --temperature 2.0,2.01,2.02,2.03 --method swendsen_wang --n-sweeps 2000 --seed 0"
)
SMALLER = {
    "--ntasks=64": "--ntasks=4",
    "--extent 32 --temperature 2.0:2.6:60": "--extent 8 --temperature 2.0,2.01,2.02,2.03",
    "--n-sweeps 100000": "--n-sweeps 2000",
    "2G\n": "1G\n",
    "maximum=100": "maximum=2",
    'interface="ib0"': 'interface="lo"',
    "(32, 32)": "(8, 8)",
    "range(60)": "range(4)",
    'methods=["swendsen_wang"]': 'methods=["swendsen_wang"], mcmc={"n_sweeps": 2000}',
}


def recipe(language: str, word: str) -> str:
    """The block of the page in this language that has this word, with smaller sizes."""
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.S)
    (text,) = (block for block in blocks if word in block)
    for of_page, smaller in SMALLER.items():
        text = text.replace(of_page, smaller)
    return text


def words_of(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def submit(folder: Path, script: str, *, until: int | None = None) -> None:
    """Run a batch script to its end, or until there are so many cells, when it gets SIGINT."""
    (folder / "job.sh").write_text(script)
    number = words_of("sbatch", "--parsable", "--chdir", str(folder), str(folder / "job.sh")).strip()
    while number in words_of("squeue", "--noheader", "--format=%A"):
        n_cells = len(list((folder / "scan.nc.partial").glob("cell-*.json")))
        if until is not None and n_cells >= until:
            words_of("scancel", "--signal=INT", "--batch", number)
            until = None
        time.sleep(1.0)


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        here(folder, SCAN)
        before = dataset.read(folder / "here.nc")
        job = recipe("bash", "#SBATCH")
        submit(folder, job, until=2)
        assert not (folder / "scan.nc").exists(), "the job ended before the signal"
        submit(folder, job)
        print(
            "one job, stopped and submitted again:",
            list(differences(before, dataset.read(folder / "scan.nc"))),
        )
        (folder / "scan.nc").unlink()
        block = recipe("py", "SLURMCluster").replace("\n", "\n    ")
        (folder / "jobs.py").write_text(f"if __name__ == '__main__':\n    {block}\n")
        subprocess.run([sys.executable, "jobs.py"], cwd=folder, check=True)
        print("jobs of workers:", list(differences(before, dataset.read(folder / "scan.nc"))))


if __name__ == "__main__":
    main()
