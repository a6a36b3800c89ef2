"""The service against the embedder and plain numpy, with the shipped weights on the shipped sample."""

import json
from collections.abc import Iterator, Sequence

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from support.processes import ServiceProcess, data_folder

from model.embedder import Embedder
from model.synthetic.sample import SampleCrop, load_sample
from service.database.vectors import decode, encode

CROPS = load_sample()
GALLERY = [crop for crop in CROPS if crop.row.split == "gallery"]
QUERIES = [crop for crop in CROPS if crop.row.split == "query"]
CROPS_PER_REQUEST = 32
NEAR_TIE = 1e-5
"""Similarities closer than this may change places: embeddings depend on their batch by rounding."""


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """Of a service that holds the sample's gallery."""
    with (
        data_folder() as folder,
        ServiceProcess(folder, device="cpu") as service,
        httpx.Client(base_url=service.address, timeout=120) as client,
    ):
        for start in range(0, len(GALLERY), CROPS_PER_REQUEST):
            enroll(client, GALLERY[start : start + CROPS_PER_REQUEST])
        yield client


def enroll(client: httpx.Client, crops: Sequence[SampleCrop]) -> None:
    items = [
        {"external_id": crop.row.file, "camera_id": crop.row.camera_id, "vehicle_id": crop.row.vehicle_id}
        for crop in crops
    ]
    files = [("images", crop.path.read_bytes()) for crop in crops]
    answer = client.post("/gallery", files=files, data={"items": json.dumps(items)})
    assert [item["status"] for item in answer.raise_for_status().json()["items"]] == ["enrolled"] * len(crops)


@pytest.fixture(scope="module")
def similarity() -> NDArray[np.float32]:
    """Cosine similarity of each query with each crop of the gallery, shape (queries, gallery).

    The gallery has been through half precision, as the service keeps it: that alone moves a similarity by up to 1e-4.
    """
    embedder = Embedder.load(device="cpu")
    queries, gallery = (embed(embedder, crops) for crops in (QUERIES, GALLERY))
    return queries @ np.stack([decode(encode(embedding)) for embedding in gallery]).T


def embed(embedder: Embedder, crops: Sequence[SampleCrop]) -> NDArray[np.float32]:
    prepared = np.stack([embedder.prepare(Image.open(crop.path).convert("RGB")) for crop in crops])
    batches = np.array_split(prepared, range(16, len(prepared), 16))
    return np.concatenate([embedder.embed(batch) for batch in batches])


@pytest.mark.parametrize("number", range(len(QUERIES)), ids=[query.row.file for query in QUERIES])
def test_every_query_ranks_the_crops_of_other_cameras_as_numpy_does(
    client: httpx.Client, similarity: NDArray[np.float32], number: int
) -> None:
    query = QUERIES[number].row
    offline = {
        crop.row.file: float(score)
        for crop, score in zip(GALLERY, similarity[number], strict=True)
        if crop.row.camera_id != query.camera_id
    }
    answer = client.post(
        "/search",
        files={"images": QUERIES[number].path.read_bytes()},
        data={"camera_id": query.camera_id, "k": len(GALLERY), "group_by": "crop"},
    )
    hits = answer.raise_for_status().json()["hits"]

    found = [hit["crop"]["external_id"] for hit in hits]
    assert sorted(found) == sorted(offline)
    assert 0 < len(found) < len(GALLERY)
    # The scores of the crops in the service's order are the sorted scores: the same ranks, near ties apart.
    ranked = sorted(offline.values(), reverse=True)
    np.testing.assert_allclose([offline[file] for file in found], ranked, atol=NEAR_TIE)
    np.testing.assert_allclose([hit["score"] for hit in hits], ranked, atol=NEAR_TIE)
    assert found[0] in {file for file, score in offline.items() if score > ranked[0] - NEAR_TIE}
