"""What is sent and how it gets in: sizes, attachments, keys of one's own."""

from __future__ import annotations

import struct
import zlib

from tests.making import MODEL
from tests.referee import Model, ThreadedReferee
from tests.tui.conftest import Home


def png() -> bytes:
    """An image of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


async def test_nothing_is_not_sent(online: Home, referee: ThreadedReferee) -> None:
    async with online.app() as me:
        await me.press("enter")
        await me.writes(" \n\t ")
        await me.press("enter")
        await me.pilot.pause()
        assert me.idle
        assert not referee.requests
        assert not online.library.ids()


async def test_five_megabytes(home: Home) -> None:
    model = Model(MODEL, "Long reader", "sonnet", "2026-10-07T00:00:00Z", max_input_tokens=10_000_000)
    with ThreadedReferee(["That was long."], models=[model]) as referee:
        home.connect(referee)
        await five_megabytes(home, referee)


async def five_megabytes(online: Home, referee: ThreadedReferee) -> None:
    words = "A line of a long text, with umlauts: äöü.\n" * 125_000
    async with online.app() as me:
        await me.pastes(words)
        await me.sees("⟦pasted text 1: 125,001 lines")
        assert me.typed == words
        await me.press("enter")
        await me.until(lambda: me.idle and len(referee.requests) == 1, timeout=60)
        await me.reads("That was long.")
        assert me.typed == ""
        assert me.texts() == [words]
        assert referee.requests[0]["messages"][0]["content"][-1]["text"] == words
        await me.goes_to("A line of a long text")
        await me.press("e")
        assert me.typed == words
        await me.press("escape")
    referee.assert_clean()


async def test_attachments_are_sent_and_named(online: Home, referee: ThreadedReferee) -> None:
    referee.enqueue("I see.", "Again.")
    note, image = online.root / "note.md", online.root / "dot.png"
    note.write_text("# A note\n")
    image.write_bytes(png())
    async with online.app() as me:
        await me.press("f4")
        await me.sees("Attach a file")
        await me.press(*str(note), "enter")
        me.chat.composer.add_attachment(image)
        await me.sees("📎 Attached: note.md, 9 B · dot.png")
        await me.press("backspace")
        assert [file.name for file in me.chat.composer.attachments] == ["note.md"]
        me.chat.composer.add_attachment(image)
        await me.says("Look")
        await me.reads("Look", "📎 note.md (text/plain)", "📎 dot.png (image/png)", "I see.")
        assert not me.chat.composer.attachments
        document, picture, text = referee.requests[0]["messages"][0]["content"]
        assert (document["type"], document["source"]["data"]) == ("document", "# A note\n")
        assert (picture["type"], picture["source"]["media_type"]) == ("image", "image/png")
        assert text["text"] == "Look"
        # An edit takes its attachments along.
        await me.goes_to("Look")
        await me.press("e", "end", "!", "enter")
        await me.reads("Look!", "Again.")
        await me.until(lambda: me.idle)
        assert [block["type"] for block in referee.requests[1]["messages"][0]["content"]] == [
            "document",
            "image",
            "text",
        ]
    referee.assert_clean()


async def test_attachments_that_cannot_be_sent(online: Home, referee: ThreadedReferee) -> None:
    binary, soon_gone = online.root / "program.bin", online.root / "gone.txt"
    binary.write_bytes(b"\x7fELF\0\0\xff")
    soon_gone.write_text("hello")
    async with online.app() as me:
        await me.press("f4", *"/no/such/file", "enter")
        await me.hears("/no/such/file is not a file that can be read.")
        assert not me.chat.composer.attachments
        await me.writes("Look")
        for file, why in ((binary, "is of a kind that cannot be attached"), (soon_gone, "there is no such file")):
            me.chat.composer.add_attachment(file)
            soon_gone.unlink(missing_ok=True)
            await me.writes("Look")
            await me.press("enter")
            await me.hears(why)
            await me.until(lambda: me.idle)
            assert me.typed == "Look"
            assert me.chat.composer.attachments == (file,)
            me.chat.composer.remove_attachment(file)
            soon_gone.write_text("hello")
    assert not referee.requests
    assert not online.library.ids()


async def test_keys_of_ones_own(online: Home, referee: ThreadedReferee) -> None:
    online.connect(
        referee, more='[keys]\nnew = "ctrl+g"\nedit = ["x", "ctrl+e"]\nfold = []\nno_such = "f9"\nsend = "f12"\n'
    )
    referee.enqueue("One.", "Two.")
    async with online.app((160, 100)) as me:
        await me.hears("[keys] in config.toml names no command: no_such.")
        await me.hears("[keys] in config.toml cannot change the key of: send.")
        await me.says("Hello")
        await me.sees("Ctrl+G New chat")
        await me.goes_to("Hello")
        await me.press("e", "o", "f12")
        await me.pilot.pause()
        assert me.typed == ""
        assert not [sentence for sentence in me.told if "Thinking" in sentence]
        await me.press("x")
        assert me.typed == "Hello"
        await me.press("escape", "ctrl+n")
        await me.reads("Hello")
        await me.press("ctrl+g")
        await me.reads("A new chat")
        await me.press("f1")
        await me.sees("x Ctrl+E", "Ctrl+G")
