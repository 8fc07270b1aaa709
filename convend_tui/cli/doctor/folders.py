"""Folders: where they are, whether they can be written and by whom, and on what kind of file system."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from convend_tui import logfile
from convend_tui.cli.doctor.finding import Finding
from convend_tui.paths import Paths

_AREA = "Folders"
LEAST_FREE = 4 * 2**20
"""Bytes below which a turn may not find room."""
LITTLE_FREE = 200 * 2**20
_MOST_LOOKED_AT = 20_000
"""Files whose permissions are looked at."""
MOUNTS = Path("/proc/self/mountinfo")
REMOTE = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "ceph", "lustre", "glusterfs", "davfs"),
        *("fuse.glusterfs", "fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse"),
    )
)
SYNCED = {
    "Dropbox": "Dropbox",
    "OneDrive": "OneDrive",
    "Google Drive": "Google Drive",
    "Mobile Documents": "iCloud Drive",
    "Nextcloud": "Nextcloud",
}


def examine(where: Paths) -> Iterator[Finding]:
    """Each folder, then the disks they are on."""
    top = {"data": where.data, "cache": where.cache, "state": where.state, "settings": where.config_file.parent}
    for name, folder in top.items():
        yield _usable(name, folder)
    yield from _permissions(where)
    yield from _of_settings(where.config_file)
    seen: set[int] = set()
    for folder in (where.data, where.state, where.cache):
        there = _nearest(folder)
        with suppress(OSError):
            if (device := there.stat().st_dev) not in seen:
                seen.add(device)
                yield _free(there)
    yield from _file_system(where)
    yield _log(where)


def _nearest(folder: Path) -> Path:
    """The folder, or what there is of the way to it."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _leads_nowhere(folder: Path) -> Path | None:
    """A link on the way to a folder that leads to nothing, or in a circle: nothing can be made there."""
    return next((part for part in (folder, *folder.parents) if part.is_symlink() and not part.exists()), None)


def _usable(name: str, folder: Path) -> Finding:
    there = _nearest(folder)
    keeps = "Without it convend works, slower." if name == "cache" else "convend cannot keep anything."
    state = "warning" if name in ("cache", "settings") else "wrong"
    if (link := _leads_nowhere(folder)) is not None:
        mend = "Make what it leads to, or take the link away."
        return Finding(_AREA, "wrong", f"{name}: {link} is a link that leads nowhere.", mend)
    if not there.is_dir():
        return Finding(_AREA, "wrong", f"{name}: {there} is in the way, and no folder.", "Move it elsewhere.")
    if hasattr(os, "getuid") and there == folder and (owner := there.stat().st_uid) not in (os.getuid(), 0):
        return Finding(
            _AREA, "warning", f"{name}: {folder} belongs to user {owner}, not to you.", f"sudo chown -R $USER {folder}"
        )
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding(
            _AREA,
            state,  # type: ignore[arg-type]
            f"{name}: {there} cannot be written. {keeps if name != 'settings' else ''}",
            f"Give yourself the right (chmod u+rwx {there}), or set CONVEND_HOME to another folder.",
        )
    return Finding(_AREA, "ok", f"{name}: {folder}" + ("" if there == folder else " (is made when it is needed)"))


def _permissions(where: Paths) -> Iterator[Finding]:
    if os.name == "nt":
        return
    open_ones = [path for path in _own(where) if _open_to_others(path)]
    if not open_ones:
        yield Finding(_AREA, "ok", "Only you can read them (folders 0700, files 0600).")
        return
    mode = stat.S_IMODE(open_ones[0].lstat().st_mode)
    more = f" and {len(open_ones) - 1:,} more" if len(open_ones) > 1 else ""
    roots = dict.fromkeys(str(root) for root in (where.data, where.state, where.cache) if _holds(root, open_ones))
    top = [root for root in roots if not any(Path(root).is_relative_to(other) for other in roots if other != root)]
    yield Finding(
        _AREA, "warning", f"Others may get at {open_ones[0]} ({mode:04o}){more}.", f"chmod -R go-rwx {' '.join(top)}"
    )


def _holds(root: Path, paths: list[Path]) -> bool:
    return any(path.is_relative_to(root) for path in paths)


def _own(where: Paths) -> Iterator[Path]:
    """What convend has made: folders, and the files in them."""
    left = _MOST_LOOKED_AT
    folders = (where.threads, where.blobs, where.trash, where.drafts, where.partial, where.locks, where.cache)
    for folder in (where.data, where.state, *folders, logfile.file_in(where).parent):
        if not folder.is_dir():
            continue
        yield folder
        if folder == where.data:  # may be CONVEND_HOME, with other things of the person's in it
            continue
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if left and entry.is_file(follow_symlinks=False):
                    left -= 1
                    yield Path(entry.path)


def _open_to_others(path: Path) -> bool:
    try:
        return bool(stat.S_IMODE(path.lstat().st_mode) & 0o077)
    except OSError:
        return False


def _of_settings(file: Path) -> Iterator[Finding]:
    """config.toml names commands that are run: whoever can write it can do as the person does."""
    with suppress(OSError):
        if os.name != "nt" and stat.S_IMODE(file.stat().st_mode) & 0o022:
            yield Finding(
                _AREA, "warning", f"Others can change {file}, and so what convend runs for a key.", f"chmod 600 {file}"
            )


def _free(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    said = f"{_size(free)} free on the disk of {folder}"
    if free < LEAST_FREE:
        return Finding(_AREA, "wrong", f"{said}: full.", "Make room on it; nothing can be kept before.")
    if free < LITTLE_FREE:
        return Finding(_AREA, "warning", f"{said}: little.", "Make room on it.")
    return Finding(_AREA, "ok", said)


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def _file_system(where: Paths) -> Iterator[Finding]:
    kind = kind_of(_nearest(where.data))
    if kind in REMOTE:
        yield Finding(
            _AREA,
            "warning",
            f"The data is on a network file system ({kind}): two machines that write at once may not see each other's "
            "locks, and a broken connection looks like a broken disk.",
            "Keep it on a disk of this machine, and share it with `convend sync` or Syncthing.",
        )
    elif kind:
        yield Finding(_AREA, "ok", f"The file system of the data is {kind}.")
    if ignores_case(where.data):
        yield Finding(_AREA, "ok", "It takes upper and lower case for the same. No two files of convend differ in it.")
    if service := _synced(where.data):
        inside = where.state.is_relative_to(where.data) and where.cache.is_relative_to(where.data)
        yield Finding(
            _AREA,
            "warning" if inside else "ok",
            f"The data is in a folder that {service} synchronises. Threads can take it"
            + ("; the cache and the state beside them need not be synchronised." if inside else "."),
            "Leave the folders cache and state out of it." if inside else None,
        )


def kind_of(folder: Path, mounts: Path = MOUNTS) -> str | None:
    """The type of the file system a folder is on, where the system says so (Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
        target = folder.resolve()
    except (OSError, RuntimeError):
        return None
    best: tuple[int, str] | None = None
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after.split():
            continue
        mount = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        # The last of equal ones lies on top.
        if target.is_relative_to(mount) and (best is None or len(mount) >= best[0]):
            best = len(mount), after.split()[0]
    return best[1] if best else None


def ignores_case(folder: Path) -> bool:
    """Whether the name of something in a folder, or its own, is found in the other case too. Nothing is written."""
    there = _nearest(folder)
    for name in (there / "threads", there):
        if not name.exists() or name.name.swapcase() == name.name:
            continue
        with suppress(OSError):
            return name.with_name(name.name.swapcase()).samefile(name)
    return False


def _synced(folder: Path) -> str | None:
    """The service that synchronises a folder, by its name or by the marks that it leaves."""
    for one in (folder, *folder.parents):
        for part, service in SYNCED.items():
            if one.name == part or one.name.startswith(f"{part} -") or one.name.startswith(f"{part} ("):
                return service
        with suppress(OSError):
            if (one / ".stfolder").exists():
                return "Syncthing"
    return None


def _log(where: Paths) -> Finding:
    file = logfile.file_in(where)
    crash = logfile.last_crash(file)
    if crash is None:
        return Finding(_AREA, "ok", f"log: {file}" + ("" if file.exists() else " (nothing is in it yet)"))
    return Finding(
        _AREA,
        "warning",
        f"convend stopped because of a defect of its own on {crash}.",
        f"What happened is in {file}, without texts and keys: fit for a report.",
    )
