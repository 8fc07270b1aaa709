"""What goes wrong with git, in sentences."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from convend_tui.errors import SyncError
from convend_tui.plain import one_line

REMOTE: Final = frozenset(("fetch", "push", "ls-remote"))
"""The commands that talk to the remote."""


_SECRETS: Final = (
    (re.compile(r"(\w://)[^/\s]+@"), r"\1"),
    # A password with a slash or an @ in it, which git takes for something else.
    (re.compile(r"(\w://)[^/\s@:]*:(?!\d+/)[^\s@]*@(?:[^\s@/]*@)*"), r"\1"),
    (re.compile(r"(?<![\w./])[\w.+-]+:[^\s/@:'\"]+@"), ""),
    (re.compile(r"([?&][^=\s&?/]+=)[^\s&'\"]+"), r"\1…"),
)


def damaged(git_dir: Path) -> SyncError:
    """The repository is broken."""
    return SyncError(
        f"The repository {git_dir} is damaged. Your threads are not: move {git_dir.name} away and say "
        "`convend sync --init REMOTE` again; both sides are then put together anew."
    )


def without_secrets(text: str) -> str:
    """A text without the user, password and tokens that addresses in it may hold. To be asked before a text is cut:
    half an address looks like none."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def without_progress(err: str) -> list[str]:
    """What git said, line by line, without how far it was."""
    lines = (one_line(without_secrets(line.strip()), 200) for line in err.splitlines())
    return [line for line in lines if line and not _PROGRESS.match(line)]


_PROGRESS: Final = re.compile(
    r"(remote: )?((Enumerating|Counting|Compressing|Finding|Writing|Receiving|Unpacking|Checking|Resolving|Updating) .*"
    r"(: +\d|%|, done)|Total \d+ \(delta|Delta compression using)|(From|To) \S+$"
)
_SETTINGS: Final = re.compile(
    r"bad config (line \d+|value|variable).* in file '?(?P<file>/.+?)'?$"
    r"|unable to access '(?P<other>/.*(gitconfig|git/config))'|bad (numeric|boolean) config value"
    r"|unknown error occurred while reading the configuration",
    re.MULTILINE,
)
# The first that fits: what is told of a remote's disk must not be taken for this one's.
_SENTENCES: Final = (
    (r"^remote:.*(No space left|quota exceeded)", "The disk of the remote is full. Free some space there."),
    (
        r"No space left on device|Disk quota exceeded|Out of diskspace",
        "The disk is full. Free some space and sync again.",
    ),
    (r"Read-only file system", "The disk is read-only."),
    (
        r"Authentication failed|could not read (Username|Password)|terminal prompts disabled|Permission denied \("
        r"|access denied|error: 40[13]|HTTP 40[13]|Permission to .* denied",
        "The remote {remote} does not let you in. Keys and passwords are git's: `git ls-remote {remote}` must work "
        "without asking anything (an ssh agent, or a credential helper).",
    ),
    (
        r"Host key verification failed",
        "The remote {remote} is not known to ssh, or its key has changed. Say `ssh` to it once by hand.",
    ),
    (r"certificate|SSL|TLS", "No safe connection to the remote {remote} came about: {line}"),
    (
        r"resolve host|Could not resolve|unable to connect|Failed to connect|Couldn't connect|Connection (refused|timed"
        r"|reset|closed)|Network is unreachable|No route to host|timed out|Operation too slow|transfer closed",
        "The remote {remote} cannot be reached: {line}",
    ),
    (r"dubious ownership", "git does not trust a folder that belongs to another user: {line}"),
    (r"\.lock'?: File exists", "Another git program is at work in {dir}, or one was cut off there: {line}"),
    (
        r"transport '.*' not allowed|Unable to find remote helper|is not a git command|cannot run ",
        "git cannot use the remote {remote}: {line}",
    ),
    (
        r"does not appear to be a git repository|[Rr]epository.*(not found|does not exist)|No such file or directory"
        r"|error: 404",
        "There is no git repository at {remote}. Make one first: `git init --bare` in an empty folder there.",
    ),
    (
        r"hash algorithm|mismatched algorithms",
        "The remote {remote} names its objects by SHA-256, and convend by SHA-1. Make another one: "
        "`git init --bare --object-format=sha1` in an empty folder there.",
    ),
    (r"aborted by hook", "A hook at the remote {remote} did not take what is new here: {line}"),
    (r"hung up unexpectedly|early EOF|unexpected disconnect", "The connection to the remote {remote} broke off."),
    (r"couldn't write '|unable to write ", "git cannot write in {dir}; the disk may be full: {line}"),
    (r"Permission denied|insufficient permission", "git may not write: {line}"),
)
_DAMAGED: Final = re.compile(
    r"object file .* is empty|bad object|loose object .* is corrupt|unable to read (tree|sha1|[0-9a-f]{40})"
    r"|missing blob|not a valid object|inflate:|packfile .* (cannot|does not)|bad tree|bad signature"
    r"|not a git repository: '|Failed to traverse|bad config|broken reference|Not a valid commit"
)


def explained(err: str, command: str, git_dir: Path, remote: str) -> SyncError:
    """A failure of git's as a sentence.

    Args:
        err: all that git said.
        command: what it was asked to do.
        remote: the address of the remote; empty where the command does not talk to it.
    """
    lines = without_progress(err)
    fatal = [line for line in lines if line.startswith(("fatal:", "error:", "ssh:", "remote:"))]
    line = without_secrets((fatal or lines or ["it did not say why"])[0]).removeprefix("fatal: ")
    line = line.removeprefix("error: ").rstrip(".") + "."
    at_remote = command in REMOTE
    if (settings := _SETTINGS.search(err)) and not (settings["file"] or "").startswith(str(git_dir)):
        return SyncError(f"git cannot read its settings: {line} Mend them, and sync again.")
    if not at_remote and _DAMAGED.search(err):
        return damaged(git_dir)
    for pattern, sentence in _SENTENCES:
        if ("{remote}" in sentence or "remote" in pattern) and not at_remote:
            continue
        if re.search(pattern, err, re.MULTILINE):
            return SyncError(sentence.format(remote=without_secrets(remote), line=line, dir=git_dir))
    if _DAMAGED.search(err):
        return damaged(git_dir)
    return SyncError(f"git {command} failed: {line}")
