"""The examples of docs/api/README.md, word for word: clients made of openapi.json enroll and search, live."""

import re
import shutil
from pathlib import Path

import httpx
import pytest
from PIL import Image
from support.generators import Generators
from support.requirements import skip_without

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "api" / "README.md"
SAMPLE = ROOT / "model" / "synthetic" / "sample"
TSCONFIG = """{"compilerOptions": {
    "module": "nodenext", "target": "es2022", "strict": true, "types": ["node"], "outDir": "out"
}}"""


def examples(section: str, language: str) -> list[str]:
    """Code of a section of the page."""
    text = PAGE.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def someone_who_follows_the_page(folder: Path) -> Path:
    """A folder with openapi.json and two pictures of one vehicle."""
    shutil.copy(ROOT / "openapi.json", folder)
    shutil.copy(SAMPLE / "v0001_cam1_1.jpg", folder / "gate-north.jpg")
    shutil.copy(SAMPLE / "v0001_cam2_1.jpg", folder / "query.jpg")
    return folder


@pytest.fixture(scope="module")
def python(generators: Generators, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the generated Python client."""
    folder = someone_who_follows_the_page(tmp_path_factory.mktemp("python"))
    (setup,) = examples("Python", "bash")
    generators.run("bash", "-euc", setup.replace("generate ", "generate --fail-on-warning "), folder=folder)
    return folder


@pytest.fixture(scope="module")
def typescript(generators: Generators, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the generated TypeScript client."""
    folder = someone_who_follows_the_page(tmp_path_factory.mktemp("typescript"))
    (folder / "node_modules").symlink_to(generators.node / "node_modules")
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "tsconfig.json").write_text(TSCONFIG)
    (setup,) = examples("TypeScript", "bash")
    generators.run("bash", "-euc", setup, folder=folder)
    return folder


@pytest.fixture
def caller(guarded_service: tuple[str, str]) -> dict[str, str]:
    """The variables of the page."""
    address, key = guarded_service
    return {"CLIP_SENET_URL": address, "CLIP_SENET_KEY": key}


def crops_of(caller: dict[str, str]) -> list[dict[str, object]]:
    headers = {"X-API-Key": caller["CLIP_SENET_KEY"]}
    crops: list[dict[str, object]] = httpx.get(f"{caller['CLIP_SENET_URL']}/gallery", headers=headers).json()["items"]
    return crops


def newest(caller: dict[str, str]) -> str:
    return str(crops_of(caller)[0]["id"])


def longest_side(file: Path) -> int:
    with Image.open(file) as picture:
        return max(picture.size)


def test_curl(generators: Generators, tmp_path: Path, caller: dict[str, str]) -> None:
    if shutil.which("curl") is None:
        skip_without("curl is not installed")
    folder = someone_who_follows_the_page(tmp_path)
    first, several = examples("curl", "bash")
    said = generators.run("bash", "-euc", first, folder=folder, **caller)
    crop_id = newest(caller)
    assert f'"status":"enrolled","id":"{crop_id}"' in said
    assert '"hits":[{"rank":1' in said
    assert crop_id in said.partition('"hits"')[2]
    generators.run("bash", "-euc", several, folder=folder, **caller)
    south, north = crops_of(caller)[:2]
    assert (north["camera_id"], north["track_id"]) == ("gate-north", "17")
    assert (south["camera_id"], south["attributes"]) == ("gate-south", {"colour": "red"})


def test_python(generators: Generators, python: Path, caller: dict[str, str]) -> None:
    (program,) = examples("Python", "python")
    (python / "example.py").write_text(program)
    said = generators.run("python", "example.py", folder=python, **caller).splitlines()
    assert said[0] == f"enrolled {newest(caller)} None"
    assert said[1].startswith("1 ")
    assert longest_side(python / "best.jpg") <= 160


def test_python_without_a_valid_key_is_told(generators: Generators, python: Path, caller: dict[str, str]) -> None:
    (program,) = examples("Python", "python")
    (python / "stranger.py").write_text(program)
    with pytest.raises(AssertionError, match="unauthorized"):
        generators.run("python", "stranger.py", folder=python, **caller | {"CLIP_SENET_KEY": "wrong"})


def test_typescript(generators: Generators, typescript: Path, caller: dict[str, str]) -> None:
    (program,) = examples("TypeScript", "typescript")
    (typescript / "example.ts").write_text(program)
    generators.run("tsc", "--project", ".", folder=typescript)
    said = generators.run("node", "out/example.js", folder=typescript, **caller).splitlines()
    assert said[0] == f"enrolled {newest(caller)} null"
    assert said[1].startswith("1 ")
    assert longest_side(typescript / "best.jpg") <= 160


def test_typescript_finds_what_the_description_does_not_allow(generators: Generators, typescript: Path) -> None:
    """Were the types those of anything, a client could be generated from nonsense."""
    (program,) = examples("TypeScript", "typescript")
    wrong = program.replace("k: 5", 'k: "many"').replace("hit.crop.camera_id", "hit.camera")
    (typescript / "example.ts").write_text(wrong)
    with pytest.raises(AssertionError) as refused:
        generators.run("tsc", "--project", ".", folder=typescript)
    assert "Type 'string' is not assignable to type 'number'" in str(refused.value)
    assert "'camera' does not exist" in str(refused.value)
