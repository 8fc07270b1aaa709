"""Drafts on the disk: a file for each place."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from convend_tui.store.drafts import NEW, Draft, Place, load, of_branches, save
from tests.making import paths_in

PLACES = [Place("t"), Place("t", "end", "a"), Place("t", "end", "b"), Place("t", "below", "a"), Place("t", "edit", "a")]


def test_each_place_has_its_own(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    for number, place in enumerate([*PLACES, NEW]):
        assert load(paths, place) == Draft()
        save(paths, place, Draft(text=f"text {number}", under_way=number > 3))
    assert [load(paths, place).text for place in [*PLACES, NEW]] == [f"text {number}" for number in range(6)]
    assert {place for place, _ in of_branches(paths, "t")} == set(PLACES[1:])
    assert of_branches(paths, "other") == []
    save(paths, PLACES[1], Draft())
    assert {place for place, _ in of_branches(paths, "t")} == set(PLACES[2:])
    save(paths, PLACES[1], Draft())


def test_the_one_written_last_comes_last(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    for number, place in enumerate(PLACES[1:]):
        save(paths, place, Draft(text="x"))
        os.utime(paths.drafts / f"{place.name}.json", ns=(0, 10**9 * (9 - number)))
    assert [place for place, _ in of_branches(paths, "t")] == PLACES[:0:-1]


def test_a_file_of_before_is_that_of_the_whole_thread(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    paths.drafts.mkdir(parents=True)
    (paths.drafts / "20261122T000000-00000000.json").write_text('{"text":"from before","cursor":[0,3]}')
    assert load(paths, Place("20261122T000000-00000000")) == Draft(text="from before", cursor=(0, 3))


def test_what_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    paths.drafts.mkdir(parents=True)
    for name in ("t.end-a.json", "t.end-.json", "t.other-a.json", "t.end-a", "t.json"):
        (paths.drafts / name).write_text("{broken")
    (paths.drafts / "t.end-b.json").mkdir()
    assert of_branches(paths, "t") == []
    assert load(paths, Place("t", "end", "b")) == Draft()
    assert len(list(paths.drafts.iterdir())) == 6


TEXTS = (
    st.text(min_size=1, max_size=80)
    | st.text("._a/", min_size=1, max_size=2)
    | st.text("汉A", min_size=60, max_size=240)
)


@given(st.lists(st.builds(Place, TEXTS, st.sampled_from(["end", "below", "edit"]), TEXTS), max_size=4))
def test_any_ids_make_names_of_files_that_differ(places: list[Place]) -> None:
    known: dict[str, tuple[str, str, str]] = {}
    for place in places:
        assert Path(place.name).name == place.name and len(place.name.encode()) < 250
        parts = (place.thread, place.kind, place.message)
        assert known.setdefault(place.name, parts) == parts
