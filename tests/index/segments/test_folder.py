"""An index's folder: one owner at a time, and garbage that goes when nothing needs it."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.segments import CODECS, IDENTITY, snapshot_of, some_crops, written

from index.segments.files import StorageError
from index.segments.folder import claim_folder, collect_garbage
from index.segments.segment import Segment
from index.segments.snapshots import SEGMENTS, SNAPSHOTS, manifests, open_newest, write_snapshot


def segments_of(folder: Path, count: int) -> list[Segment]:
    return [written(folder / SEGMENTS, some_crops(3, seed)) for seed in range(count)]


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_two_owners_in_one_process_get_folders_of_their_own(tmp_path: Path) -> None:
    first, second = claim_folder(tmp_path), claim_folder(tmp_path)
    assert [first.path, second.path] == [tmp_path / "0", tmp_path / "1"]
    first.release()
    assert claim_folder(tmp_path).path == tmp_path / "0"


def test_releasing_twice_does_not_take_the_folder_from_its_next_owner(tmp_path: Path) -> None:
    first = claim_folder(tmp_path)
    first.release()
    second = claim_folder(tmp_path)
    first.release()
    assert claim_folder(tmp_path).path == tmp_path / "1"
    second.release()


def test_a_second_process_gets_the_next_folder_and_the_first_one_when_its_owner_was_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from index.segments.folder import claim_folder\n"
        "owned = claim_folder(Path(sys.argv[1])); print(owned.path, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == str(tmp_path / "0")
        second = claim_folder(tmp_path)
        assert second.path == tmp_path / "1"
        other.kill()
        other.wait()
    assert claim_folder(tmp_path).path == tmp_path / "0"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=f"cannot keep its files in {tmp_path}/file: Not a directory"):
        claim_folder(tmp_path / "file")


def test_two_newest_snapshots_their_segments_and_the_living_stay(tmp_path: Path) -> None:
    segments = segments_of(tmp_path, 5)
    paths = [write_snapshot(tmp_path, snapshot_of([one], mark)) for mark, one in enumerate(segments[:4])]
    removed = collect_garbage(tmp_path, IDENTITY, [segments[4].id])
    assert set(removed) == {paths[0].name, paths[1].name, segments[0].id, segments[1].id}
    assert manifests(tmp_path) == [paths[3], paths[2]]
    assert names_in(tmp_path / SEGMENTS) == {one.id for one in segments[2:]}
    assert collect_garbage(tmp_path, IDENTITY, [segments[4].id]) == []


def test_a_broken_snapshot_is_not_one_of_the_two_that_stay(tmp_path: Path) -> None:
    segments = segments_of(tmp_path, 3)
    paths = [write_snapshot(tmp_path, snapshot_of([one], mark)) for mark, one in enumerate(segments)]
    paths[2].write_bytes(paths[2].read_bytes()[:-1])
    collect_garbage(tmp_path, IDENTITY, [])
    assert manifests(tmp_path) == [paths[1], paths[0]]
    assert names_in(tmp_path / SEGMENTS) == {segments[0].id, segments[1].id}


def test_what_another_model_left_stays_until_this_one_has_a_snapshot(tmp_path: Path) -> None:
    old, new = segments_of(tmp_path, 2)
    other = write_snapshot(tmp_path, snapshot_of([old], 5, replace(IDENTITY, model_id="other-2")))
    assert collect_garbage(tmp_path, IDENTITY, [new.id]) == []
    own = write_snapshot(tmp_path, snapshot_of([new], 6))
    assert set(collect_garbage(tmp_path, IDENTITY, [new.id])) == {other.name, old.id}
    assert manifests(tmp_path) == [own]


def test_what_was_left_unfinished_goes(tmp_path: Path) -> None:
    (tmp_path / SEGMENTS / "unfinished-1" / "vectors").mkdir(parents=True)
    (tmp_path / SNAPSHOTS).mkdir()
    (tmp_path / SNAPSHOTS / "unfinished-2").write_text("half")
    assert set(collect_garbage(tmp_path, IDENTITY, [])) == {"unfinished-1", "unfinished-2"}
    assert names_in(tmp_path / SEGMENTS) == names_in(tmp_path / SNAPSHOTS) == set()


def test_what_cannot_be_removed_is_left_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    segments = segments_of(tmp_path, 2)
    write_snapshot(tmp_path, snapshot_of([segments[1]]))

    def refuse(path: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        assert collect_garbage(tmp_path, IDENTITY, []) == []
    assert f"{segments[0].id} is no longer needed and cannot be removed: Permission denied" in caplog.text
    assert collect_garbage(tmp_path, IDENTITY, []) == [segments[0].id]


def test_wherever_a_process_dies_that_collects_garbage_the_newest_snapshot_opens(
    tmp_path: Path, dies_at_step: Callable[[int, Callable[[], object]], bool]
) -> None:
    segments = segments_of(tmp_path, 4)
    for mark, one in enumerate(segments):
        write_snapshot(tmp_path, snapshot_of([one], mark))
    step = 0
    while dies_at_step(step, lambda: collect_garbage(tmp_path, IDENTITY, [])):
        opened = open_newest(tmp_path, IDENTITY, CODECS)
        assert opened is not None
        assert opened[0].watermark == 3
        step += 1
    assert names_in(tmp_path / SEGMENTS) == {segments[2].id, segments[3].id}
    assert len(manifests(tmp_path)) == 2
    assert step > 5
