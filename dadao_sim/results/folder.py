"""Whether a folder may take a result, and how an old one leaves it."""

import json
import shutil
from pathlib import Path

from dadao_sim.errors import InputError

UNFINISHED = "unfinished_runs"
RESULT_FILES = (
    *("manifest.json", "timing.json", "curves.parquet", "runs.csv", "summary.csv", "summary.tex"),
)
RESULT_FOLDERS = ("final_states", "figures", UNFINISHED)


def files_read(folder: Path) -> list[Path]:
    """The files and folders of a result that are read where it is loaded."""
    return [folder / name for name in (*RESULT_FILES, "final_states")]


def check_folder(folder: Path, *, resume: bool, overwrite: bool) -> None:
    """InputError for a folder that holds something, unless told what to do with it."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if resume and (folder / UNFINISHED).is_dir():
        return
    if overwrite and is_ours(folder):
        return
    if resume:
        raise InputError(
            "folder", f"there is nothing to resume in {folder}: its runs are finished, or not ours"
        )
    if overwrite:
        raise InputError("folder", f"{folder} exists and is no result of ours", "choose another")
    raise InputError("folder", f"{folder} exists", "choose another, or resume or overwrite it")


def is_ours(folder: Path) -> bool:
    """Whether a folder holds a result, finished or not."""
    if (folder / UNFINISHED / "simulation").is_file():
        return True
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and {"scenario", "streams", "versions"} <= set(manifest)


def remove_result(folder: Path) -> None:
    """Remove what a result consists of, and nothing else that may be in the folder."""
    for name in RESULT_FILES:
        (folder / name).unlink(missing_ok=True)
    for name in RESULT_FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
