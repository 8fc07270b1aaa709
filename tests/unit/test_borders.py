"""The borders of the house: what a module may import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "convend_tui"
# DESIGN's list, from the top down: a module may import what stands above it, and its own floor.
FLOORS = (
    *("errors", "paths", "files", "plain", "logfile", "config", "thread", "ending", "store", "model"),
    *("pending", "judging", "session", "replay", "exchange", "tui", "cli", "__main__"),
)
INPUT_OUTPUT = {
    *("os", "io", "pathlib", "socket", "time", "random", "secrets", "subprocess", "shutil", "tempfile", "sys"),
    *("asyncio", "threading", "urllib", "http", "ssl", "sqlite3", "logging", "signal", "select", "fcntl"),
    *("filelock", "platformdirs", "rich", "textual", "anthropic", "httpx2"),
}
SDK = {"anthropic", "httpx2", "httpx", "pydantic"}
LONGEST = 420


@dataclass(frozen=True)
class Import:
    """One import, wherever it stands."""

    file: Path
    line: int
    module: str
    """Dotted, absolute."""
    deferred: bool
    """Inside a function, or for the type checker only."""

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    @property
    def floor(self) -> str | None:
        """The floor of the package that is imported; None for other packages."""
        parts = self.module.split(".")
        return parts[1] if parts[0] == PACKAGE and len(parts) > 1 else None

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.module}"


def floor_of(file: Path) -> str | None:
    """The floor a file stands on; None for the package's own `__init__`."""
    first = file.relative_to(ROOT / PACKAGE).parts[0].removesuffix(".py")
    return None if first == "__init__" else first


def modules() -> list[Path]:
    return sorted((ROOT / PACKAGE).rglob("*.py"))


def imports_of(file: Path) -> Iterator[Import]:
    def walk(node: ast.AST, deferred: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            later = deferred or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                later = True
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(file, child.lineno, alias.name, deferred)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{file}:{child.lineno}: a relative import"
                base = child.module or ""
                for alias in child.names:
                    # `from convend_tui import paths` imports the module convend_tui.paths.
                    yield Import(file, child.lineno, f"{base}.{alias.name}", deferred)
            elif isinstance(child, ast.Call) and ast.unparse(child.func).endswith(("import_module", "__import__")):
                text = ast.unparse(child.args[0])
                if PACKAGE in text:
                    name = text.strip("f\"'").partition("{")[0].rstrip(".")
                    yield Import(file, child.lineno, name, True)
            yield from walk(child, later)

    return walk(ast.parse(file.read_text("utf-8")), False)


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    found = [one for file in modules() for one in imports_of(file)]
    assert len(found) > 200
    return found


def test_every_module_has_its_floor() -> None:
    assert {floor for file in modules() if (floor := floor_of(file))} <= set(FLOORS)


def test_imports_point_up_the_list(imports: list[Import]) -> None:
    wrong = []
    for one in imports:
        mine = floor_of(one.file)
        if one.top != PACKAGE or one.floor in (None, "__version__"):
            continue
        assert one.floor in FLOORS, str(one)
        if mine is None or FLOORS.index(one.floor) > FLOORS.index(mine):
            wrong.append(str(one))
    assert wrong == []


def test_only_the_screen_imports_textual(imports: list[Import]) -> None:
    assert [str(one) for one in imports if one.top == "textual" and floor_of(one.file) != "tui"] == []
    assert any(one.top == "textual" for one in imports)


def test_only_the_client_imports_the_sdk_and_only_when_it_is_needed(imports: list[Import]) -> None:
    home = ROOT / PACKAGE / "model" / "client.py"
    found = [one for one in imports if one.top in SDK]
    assert found
    assert [str(one) for one in found if one.file != home or not one.deferred] == []


@pytest.mark.parametrize("floor", ["thread", "ending"])
def test_thread_and_ending_do_no_input_or_output(imports: list[Import], floor: str) -> None:
    own = [one for one in imports if floor_of(one.file) == floor]
    assert own
    assert [str(one) for one in own if one.top in INPUT_OUTPUT] == []
    for file in (ROOT / PACKAGE / floor).glob("*.py"):
        called = {
            ast.unparse(node.func) for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)
        }
        assert not called & {"open", "print", "input", "datetime.now", "datetime.utcnow", "exec", "eval"}, file


@pytest.mark.parametrize("command", ["look", "turns", "setup", "output", "parser", "__init__"])
def test_the_commands_do_without_the_screen(imports: list[Import], command: str) -> None:
    file = ROOT / PACKAGE / "cli" / f"{command}.py"
    own = [one for one in imports if one.file == file]
    assert own
    assert [str(one) for one in own if one.floor == "tui"] == []


def test_no_file_is_longer_than_it_should_be() -> None:
    lengths = {str(file.relative_to(ROOT)): len(file.read_text("utf-8").splitlines()) for file in modules()}
    assert {file: length for file, length in lengths.items() if length > LONGEST} == {}


def test_every_module_says_what_it_is_for() -> None:
    assert [str(file) for file in modules() if not ast.get_docstring(ast.parse(file.read_text("utf-8")))] == []
