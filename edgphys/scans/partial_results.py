# SPDX-License-Identifier: MIT
"""Finished cells of a scan on disk, so that a killed scan goes on where it stopped.

Beside the output file ``NAME`` a folder ``NAME.partial`` holds ``scan.json`` (what the scan is: system,
settings, seed), ``plan.json`` (the table that it is going to be) and one JSON file per finished cell, each
complete or absent; beside them states of cells at work, and a trained model that all points share. The folder
goes when the dataset is written; trained models stay, in ``NAME.models``, and kept draws in ``NAME.draws``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgphys._files import OVERWRITE, drop_states, locked, write_whole
from edgphys.dataset.json_text import Form, parsed
from edgphys.errors import DatasetError, TooLongError

__all__ = ["FREE_SETTINGS", "PartialScan", "default_or", "disagreement"]

_HEADER: Form = {"parameters": {}, "couplings": [str], "settings": {str: {}}}
_PLAN: Form = {"attrs": {}, "methods": [str], "grid": {str: [(float, str)]}}
_RESULT: Form = {"values": {str: float}, "algorithm": str, "warning": str}
_CELL: Form = {"method": str, "point": str, "result": _RESULT}

# Where a scan runs, not what it computes.
FREE_SETTINGS = {"device", "n_threads"}
# What it means that a setting is absent, where that is not its default.
_ABSENT = {"conditions": "a model per point"}


class PartialScan:
    """The folder of finished cells that belongs to one output file.

    Parameters
    ----------
    out : Path
        The output file; the folder is ``out`` with ``.partial`` appended.
    """

    def __init__(self, out: Path) -> None:
        self.folder = out.with_name(out.name + ".partial")
        self.models = out.with_name(out.name + ".models")
        self.draws = out.with_name(out.name + ".draws")

    def exists(self) -> bool:
        return (self.folder / "scan.json").exists()

    def header(self) -> dict[str, Any]:
        """What the scan in the folder is.

        Raises
        ------
        DatasetError
            If ``scan.json`` cannot be read, or holds something else.
        """
        return self._read("scan.json", _HEADER)

    def plan(self) -> dict[str, Any]:
        """The table that it is going to be: its ``attrs``, ``methods``, and couplings by name, ``grid``.

        Raises
        ------
        DatasetError
            If ``plan.json`` cannot be read, or holds something else.
        """
        return self._read("plan.json", _PLAN)

    def _read(self, name: str, form: Form) -> dict[str, Any]:
        path = self.folder / name
        try:
            return parsed(path.read_text(), form)
        except (OSError, ValueError) as error:
            words = f"{path} cannot be read ({error})"
            raise DatasetError(f"{words}; remove the folder {self.folder}, or {OVERWRITE}", "out") from error

    def open(self, header: dict[str, Any], plan: dict[str, Any]) -> None:
        """Make the folder if there is none, and write `header` and `plan`: it belongs to that scan now.

        Settings of methods that only the earlier header has are kept, for their cells are.
        """
        self.folder.mkdir(exist_ok=True)
        for state in self.folder.glob("cell-*.pt*"):
            # No archive: what cannot be read is computed again. Kept draws are none, and belong to one.
            if state.suffix != ".kept" and not zipfile.is_zipfile(state):
                self._unlink(state.name)
        if self.exists():
            header = header | {"settings": self.header()["settings"] | header["settings"]}
        self._write("plan.json", plan)
        self._write("scan.json", header)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; the system lets go of it when the process dies.

        Raises
        ------
        DatasetError
            If another process holds it.
        """
        self.folder.mkdir(exist_ok=True)
        with locked(self.folder / "lock", f"another scan is writing to {self.folder}; wait for it to end"):
            yield

    @contextlib.contextmanager
    def kept_if_begun(self) -> Iterator[None]:
        """Drop the folder if what is computed meanwhile fails or is stopped before anything is there."""
        had = any(self.folder.glob("cell-*"))
        try:
            yield
        except BaseException as error:
            # What was refused once its rate was known leaves states that are worth nothing.
            worth = ("json", "model") if isinstance(error, TooLongError) and not had else ("*",)
            if not any(any(self.folder.glob(f"cell-*.{suffix}")) for suffix in worth):
                self.remove()
            raise

    def cells(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Finished cells by (method, words of the point); an unreadable one counts as not finished."""
        found = {}
        for path in sorted(self.folder.glob("cell-*.json")):
            with contextlib.suppress(OSError, ValueError):
                cell = parsed(path.read_text(), _CELL)
                found[cell["method"], cell["point"]] = cell["result"]
        return found

    def add(self, method: str, point: str, result: dict[str, Any]) -> None:
        """Keep one finished cell, and drop the checkpoint it was computed with."""
        self._write(self._name(method, point, "json"), {"method": method, "point": point, "result": result})
        drop_states(Path(self.checkpoint(method, point)))

    def checkpoint(self, method: str, point: str) -> str:
        """Path for the state of the cell being computed; further states are `edgphys._files.beside` it."""
        return str(self.folder / self._name(method, point, "pt"))

    def model(self, name: str, size: str, seed: int, training: dict[str, Any]) -> Path:
        """Path of the trained model of a method, kept beside the scan for what extends it."""
        key = json.dumps([size, seed, training], sort_keys=True, default=str)
        digest = hashlib.sha256(key.encode()).hexdigest()[:8]
        return self.models / f"{'-'.join(filter(None, [name, size, digest]))}.pt"

    def draws_of(self, name: str, label: str, about: dict[str, Any]) -> Path:
        """Path of the draws of a cell, in a folder that is made; `about` tells it from others so labelled."""
        self.draws.mkdir(exist_ok=True)
        digest = hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()[:8]
        return self.draws / f"{'-'.join([name, *label.split(), digest])}.nc"

    def remove_cells(self) -> None:
        """Drop all finished cells and states of trainings, and what they were."""
        self._unlink("cell-*", ".cell-*", "scan.json", "plan.json")

    def remove(self) -> None:
        """Remove what a scan put into the folder, and the folder if nothing else is left."""
        self._unlink("cell-*", ".cell-*", "scan.json", ".scan.*", "plan.json", ".plan.*", "lock")
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _unlink(self, *patterns: str) -> None:
        for pattern in patterns:
            for path in self.folder.glob(pattern):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)

    def _name(self, method: str, point: str, suffix: str) -> str:
        digest = hashlib.sha256(f"{method}|{point}".encode()).hexdigest()[:16]
        return f"cell-{method}-{digest}.{suffix}"

    def _write(self, name: str, record: dict[str, Any]) -> None:
        write_whole(self.folder / name, lambda path: path.write_text(json.dumps(record)))


def disagreement(old: dict[str, Any], new: dict[str, Any]) -> str:
    """First way in which two headers describe different scans, as words; empty if cells may be shared.

    Settings of a method that only one of them has do not matter, nor does where the methods run.

    >>> disagreement({"seed": 0, "settings": {}}, {"seed": 1, "settings": {}})
    'seed is 0 there and 1 here'
    """
    for name, here in new.items():
        there = old.get(name)
        if name == "extents" and isinstance(there, dict):  # sizes may be added
            here, there = ({size: one[size] for size in here if size in there} for one in (here, there))
        if name != "settings" and there != here:
            return f"{name} is {default_or(there)} there and {default_or(here)} here"
    for method, here in new["settings"].items():
        there = old.get("settings", {}).get(method)
        if there is None:
            continue
        for name in sorted((set(here) | set(there)) - FREE_SETTINGS):
            if here.get(name) != there.get(name):
                before, now = (default_or(one.get(name, _ABSENT.get(name))) for one in (there, here))
                return f"{name} of {method} is {before} there and {now} here"
    return ""


def default_or(value: Any) -> str:
    return "the default" if value is None else json.dumps(value).replace('"', "")
