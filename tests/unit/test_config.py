from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from convend_tui import config
from convend_tui.config import Choices, Config, Ending, Local, Network, Price, Server, Ui
from convend_tui.config.settings import SECTIONS, normal_base_url
from convend_tui.config.source import Bad, setting_names
from convend_tui.errors import ConfigError, NotConnected, StoreError
from convend_tui.paths import Paths

SECRET = "sk-ant-api03-verysecret"
any_fixture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "config.toml", tmp_path, tmp_path / "cache", tmp_path / "state")


def load(paths: Paths, text: str | bytes, environ: dict[str, str] | None = None) -> Config:
    paths.config_file.write_bytes(text.encode() if isinstance(text, str) else text)
    return config.load(paths, environ or {})


A = '[[server]]\nname = "a"\n'


# What is read


def test_without_a_file_the_defaults_hold(paths: Paths) -> None:
    found = config.load(paths, {})
    assert found == Config()
    assert not paths.config_file.exists()
    assert (found.ending.min_redirections, found.network.timeout, found.local.context) == (2, 180, 8192)


def test_every_setting_is_read(paths: Paths) -> None:
    found = load(
        paths,
        """
        default_model = "work/claude-x"
        system = \"\"\"Be brief.
        Always.\"\"\"
        [[server]]
        name = "work"
        base_url = "https://llm.example.com:8443/anthropic/v1/"
        key_command = ["op", "read", "op://a/b"]
        model = "m"
        ending = false
        second_opinion = false
        documents = false
        max_tokens = 5
        thinking = "off"
        effort = "xhigh"
        headers = { X-Api-Key = "{key}" }
        ca_bundle = "ca.pem"
        [[server]]
        name = "two"
        base_url = "http://127.0.0.1:8080"
        key_keyring = "https://a/b/me"
        [ending]
        enabled = false
        min_redirections = 3
        second_opinion = false
        [local]
        enabled = false
        threads = 1
        context = 512
        [network]
        timeout = 1.5
        connect_timeout = 2
        retries = 0
        [ui]
        theme = "nord"
        mouse = false
        list_width = 20
        show_thinking = true
        [keys]
        "thread.new" = "ctrl+n"
        message.edit = ["e", "f2"]
        gone = []
        """,
    )
    assert found.default_model == "work/claude-x"
    assert found.system.splitlines()[0] == "Be brief."
    assert found.servers == (
        Server(
            name="work",
            base_url="https://llm.example.com:8443/anthropic",
            key_command=("op", "read", "op://a/b"),
            model="m",
            ending=False,
            second_opinion=False,
            documents=False,
            max_tokens=5,
            thinking="off",
            effort="xhigh",
            headers={"X-Api-Key": "{key}"},
            ca_bundle=paths.config_file.parent / "ca.pem",
        ),
        Server(name="two", base_url="http://127.0.0.1:8080", key_keyring="https://a/b/me"),
    )
    assert found.ending == Ending(False, 3, False)
    assert found.local == Local(False, 1, 512)
    assert found.network == Network(1.5, 2.0, 0)
    assert found.ui == Ui("nord", False, 20, True)
    assert found.keys == {"thread.new": ("ctrl+n",), "message.edit": ("e", "f2"), "gone": ()}


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_windows_files_are_read(paths: Paths, prefix: bytes, end: bytes) -> None:
    assert load(paths, prefix + end.join([b"[ui]", b"list_width = 40"])).ui.list_width == 40


@pytest.mark.parametrize(
    ("environ", "server"),
    [
        ({}, None),
        ({"ANTHROPIC_API_KEY": "  "}, None),
        ({"ANTHROPIC_API_KEY": SECRET}, Server("anthropic", key_env="ANTHROPIC_API_KEY")),
        ({"ANTHROPIC_AUTH_TOKEN": SECRET}, Server("anthropic", key_env="ANTHROPIC_AUTH_TOKEN")),
        (
            {"ANTHROPIC_API_KEY": SECRET, "ANTHROPIC_AUTH_TOKEN": "x"},
            Server("anthropic", key_env="ANTHROPIC_API_KEY"),
        ),
        ({"ANTHROPIC_BASE_URL": "http://localhost:1/v1/"}, Server("anthropic", "http://localhost:1")),
        (
            {"ANTHROPIC_BASE_URL": "http://localhost:1", "ANTHROPIC_API_KEY": SECRET},
            Server("anthropic", "http://localhost:1", key_env="ANTHROPIC_API_KEY"),
        ),
    ],
)
def test_the_environment_names_a_server(paths: Paths, environ: dict[str, str], server: Server | None) -> None:
    assert load(paths, "[ui]\nmouse = false", environ).servers == ((server,) if server else ())


def test_a_server_in_the_file_outranks_the_environment(paths: Paths) -> None:
    found = load(paths, '[[server]]\nname = "a"\nbase_url = "http://localhost"', {"ANTHROPIC_API_KEY": SECRET})
    assert [server.name for server in found.servers] == ["a"]
    # The person's key must not go to a server it was not meant for.
    assert found.servers[0].resolve_key({"ANTHROPIC_API_KEY": SECRET}) is None


def test_anthropics_own_address_takes_the_usual_key(paths: Paths) -> None:
    text = '[[server]]\nname = "a"\nbase_url = "https://API.anthropic.com/v1"'
    assert load(paths, text).servers[0].key_env == "ANTHROPIC_API_KEY"
    assert load(paths, text, {"ANTHROPIC_AUTH_TOKEN": "x"}).servers[0].key_env == "ANTHROPIC_AUTH_TOKEN"
    assert load(paths, text + '\nkey_env = "MINE"').servers[0].key_env == "MINE"


def test_a_bad_address_in_the_environment_is_named(paths: Paths) -> None:
    with pytest.raises(ConfigError, match="ANTHROPIC_BASE_URL must begin with"):
        config.load(paths, {"ANTHROPIC_BASE_URL": "localhost:8080"})


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, ("a", "ma")),
        ("claude-x", ("a", "claude-x")),
        ("b", ("b", config.DEFAULT_MODEL)),
        ("b/meta/llama", ("b", "meta/llama")),
        ("meta/llama", ("a", "meta/llama")),
        ("local", ("local", config.LOCAL_MODEL)),
        ("local/x", ("local", "x")),
    ],
)
def test_which_model_is_meant(wanted: str | None, expected: tuple[str, str]) -> None:
    assert Config(servers=(Server("a", model="ma"), Server("b"))).resolve(wanted) == expected


def test_the_default_model_is_used_where_none_is_named() -> None:
    assert Config(default_model="b/x", servers=(Server("a"), Server("b"))).resolve() == ("b", "x")


def test_without_a_server_only_the_built_in_model_is_left() -> None:
    assert Config(default_model="claude-x").resolve() == ("local", config.LOCAL_MODEL)
    with pytest.raises(NotConnected, match="claude-y"):
        Config().resolve("claude-y")
    for wanted in (None, "local"):
        with pytest.raises(NotConnected, match="turned off"):
            Config(local=Local(enabled=False)).resolve(wanted)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://api.anthropic.com/v1/", "https://api.anthropic.com"),
        ("HTTP://Host:80//v1//", "http://host:80"),
        (" https://x/v1beta ", "https://x/v1beta"),
        ("http://[::1]:8080/v1", "http://[::1]:8080"),
    ],
)
def test_addresses_are_made_alike(text: str, expected: str) -> None:
    assert normal_base_url(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "localhost:1", "ftp://x", "http://", "https://:80", "http://x:99999", "http://[::1", "http://a b"),
        *("http://a\tb", "http://me:pw@x", "https://x/?a=b", "https://x/#y", "file:///etc/passwd", "http://x:0"),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Bad):
        normal_base_url(text)


@given(st.text() | st.from_regex(r"https?://[a-z0-9.:\[\]@/v1?#]*", fullmatch=True))
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    try:
        once = normal_base_url(text)
    except Bad:
        return
    assert normal_base_url(once) == once
    assert not once.endswith(("/", "/v1"))


# What is shown and written


def test_no_secret_is_in_a_repr(paths: Paths) -> None:
    found = load(
        paths, A + f'key_command = "echo {SECRET}"\nheaders = {{ Authorization = "Bearer {SECRET}", k = "{{key}}" }}'
    )
    assert SECRET not in repr(found)
    assert SECRET not in config.show(found, {})
    assert found.servers[0].resolve_headers("K") == {"Authorization": f"Bearer {SECRET}", "k": "K"}
    assert found.servers[0].resolve_headers(None) == {"Authorization": f"Bearer {SECRET}"}


def test_show_is_toml_without_keys(paths: Paths) -> None:
    environ = {"ANTHROPIC_API_KEY": SECRET}
    text = config.show(load(paths, "[keys]\n'a.b' = 'c'\n[ui]\nmouse = false", environ), environ)
    assert SECRET not in text
    assert 'key_env = "ANTHROPIC_API_KEY"  # set' in text
    shown = tomllib.loads(text)
    assert shown["ui"]["mouse"] is False
    assert shown["keys"] == {"a.b": ["c"]}
    assert shown["server"][0]["base_url"] == "https://api.anthropic.com"
    assert "# not set" in config.show(load(paths, A), {})
    assert "No server" in config.show(Config(), {})


def test_what_is_shown_can_be_read_back(paths: Paths) -> None:
    first = load(paths, 'default_model = "a"\n' + A + 'key_env = "K"\n[local]\nthreads = 2\n[keys]\n"x.y" = ["a", "b"]')
    assert load(paths, config.show(first, {})) == first


def test_prices_are_found_by_model(paths: Paths) -> None:
    found = load(
        paths,
        '[[price]]\nmodel = "claude-opus-5-5"\ninput = 4\noutput = 20.0\ncache_read = 0.2\n'
        '[[price]]\nmodel = "claude-*"\ninput = 1\n',
    )
    assert found.price("claude-opus-5-5") == Price("claude-opus-5-5", 4.0, 20.0, 0.2)
    assert found.price("claude-new") == Price("claude-*", 1.0)
    assert found.price("other") is None
    assert load(paths, config.show(found, {})) == found


def test_the_example_is_written_once(paths: Paths, tmp_path: Path) -> None:
    deep = Paths(tmp_path / "not" / "yet" / "config.toml", tmp_path, tmp_path, tmp_path)
    assert config.write_example(deep) == deep.config_file
    assert config.load(deep, {}) == Config()
    assert deep.config_file.stat().st_mode & 0o777 == 0o600
    deep.config_file.write_text("# mine")
    with pytest.raises(StoreError, match="exists already"):
        config.write_example(deep)
    assert deep.config_file.read_text() == "# mine"


def test_the_example_names_every_setting_with_its_default(paths: Paths) -> None:
    lines = [re.sub(r'^#(?=[\["a-z])', "", line) for line in config.example_text().splitlines()]
    content = tomllib.loads("\n".join(lines))
    assert set(content.pop("keys")) == {"new"}
    (server,) = content.pop("server")
    assert list(server) == setting_names(Server)
    (price,) = content.pop("price")
    assert list(price) == setting_names(Price)
    for field in fields(Price):
        assert field.name == "model" or field.default is None or price[field.name] == field.default
    for name, kind in SECTIONS.items():
        section = content.pop(name)
        assert list(section) == setting_names(kind)
        for field in fields(kind):
            # A setting without a default shows an example, and what holds without it.
            assert section[field.name] == field.default or field.default is None
    assert list(content) == setting_names(Config)
    for field in fields(Server):
        if field.name not in ("name", "headers"):
            assert field.default is None or server[field.name] == field.default
    assert server["headers"] == {}
    # Each of the three key sources is accepted, and so is the whole example with one of them.
    for keep in ("key_env", "key_command", "key_keyring"):
        others = {"key_env", "key_command", "key_keyring"} - {keep}
        text = "\n".join(line for line in lines if not line.startswith(tuple(others)))
        assert load(paths, text).servers[0].name == "anthropic"


def test_each_setting_in_the_example_is_explained() -> None:
    previous = ""
    for line in config.example_text().splitlines():
        if re.match(r"#[a-z\"]", line):
            assert previous.startswith("# "), line
        previous = line


def test_choices_are_kept(paths: Paths) -> None:
    assert config.load_choices(paths) == Choices()
    choices = Choices(theme="nord", model="a/b", last_thread="20261122T034812-9f3ab01c", list_open=False)
    config.save_choices(paths, choices)
    assert config.load_choices(paths) == choices
    config.save_choices(paths, Choices(theme="x"))
    assert config.load_choices(paths) == Choices(theme="x")
    assert [file.name for file in paths.state.iterdir()] == ["choices.toml"]


@any_fixture
@given(st.builds(Choices, *[st.none() | st.text()] * 3, st.none() | st.booleans()))
def test_any_choice_survives(paths: Paths, choices: Choices) -> None:
    config.save_choices(paths, choices)
    assert config.load_choices(paths) == choices


@any_fixture
@given(st.binary())
@example(b"x = " + b"[" * 5000)
@example(b"theme = 5\nlist_open = 1")
def test_broken_choices_are_ignored_and_replaced(paths: Paths, content: bytes) -> None:
    paths.state.mkdir(exist_ok=True)
    (paths.state / "choices.toml").write_bytes(content)
    assert config.load_choices(paths) == Choices()
    config.save_choices(paths, Choices(list_open=True))
    assert config.load_choices(paths) == Choices(list_open=True)


def test_choices_that_cannot_be_written_leave_the_old_ones(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    config.save_choices(paths, Choices(theme="old"))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        config.save_choices(paths, Choices(theme="new"))
    assert config.load_choices(paths) == Choices(theme="old")
    assert [file.name for file in paths.state.iterdir()] == ["choices.toml"]


def test_an_installed_package_carries_the_example(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "convend_tui"
    package.mkdir(parents=True)
    monkeypatch.setattr("convend_tui.__file__", str(package / "__init__.py"))
    with pytest.raises(StoreError, match="lacks its config"):
        config.write_example(paths)
    assert not paths.config_file.exists()
    (package / "config.example.toml").write_text("# shipped")
    config.write_example(paths)
    assert paths.config_file.read_text() == "# shipped"
