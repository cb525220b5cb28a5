"""The example service answers over HTTP, whichever of its two workers is asked."""

import asyncio
import importlib.util
import io

import httpx
import pytest
from PIL import Image

from finhash import Gallery
from finhash.study.cost.service import EXAMPLES, serving
from tests.conftest import jpeg_bytes


@pytest.fixture
def service(tmp_path):
    """Run the service with two workers, and return a client that connects for each request."""
    limits = httpx.Limits(max_keepalive_connections=0)
    with (
        serving(tmp_path / "gallery", workers=2) as address,
        httpx.Client(base_url=address, limits=limits, timeout=60) as client,
    ):
        yield client


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Return the module of the service, with an empty gallery and small limits."""
    monkeypatch.setenv("GALLERY", str(tmp_path / "gallery"))
    monkeypatch.setenv("MOST_BYTES", "5000")
    monkeypatch.setenv("MOST_PIXELS", "400")
    spec = importlib.util.spec_from_file_location("service", EXAMPLES / "service.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ask(module, method, path, content=None):
    """Return the answer of the service to a request, without a server."""

    async def asked():
        transport = httpx.ASGITransport(module.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.request(method, path, content=content)

    return asyncio.run(asked())


async def chunked(chunks):
    """Yield a body in parts, so that no header tells its length."""
    for chunk in chunks:
        yield chunk


def plain_png(side):
    """Return a small PNG file of side x side pixels."""
    file = io.BytesIO()
    Image.new("L", (side, side)).save(file, "PNG")
    return file.getvalue()


def everywhere(service, image, **params):
    """Ask so often that both workers answer, and return their answer, which must be the same."""
    answers = []
    for _ in range(20):
        answer = service.post("/search", content=image, params=params)
        assert answer.status_code == 200
        answers.append(answer.json())
    assert answers.count(answers[0]) == 20
    return answers[0]


@pytest.mark.slow
def test_add_look_up_and_remove(service, tmp_path):
    images = [jpeg_bytes(seed=k) for k in range(20)]
    assert everywhere(service, images[0]) == []
    for k, image in enumerate(images):
        assert service.post(f"/images/memes/{k}.jpg", content=image).status_code == 201
        assert everywhere(service, image, radius=0) == [{"id": f"memes/{k}.jpg", "distance": 0}]
    smaller = io.BytesIO()
    Image.open(io.BytesIO(images[3])).resize((55, 55)).save(smaller, "PNG")
    (best, *_) = everywhere(service, smaller.getvalue(), radius=90)
    assert best["id"] == "memes/3.jpg"
    distances = [one["distance"] for one in everywhere(service, images[3], radius=256, k=5)]
    assert distances[0] == 0
    assert len(distances) == 5
    assert distances == sorted(distances)

    answer = service.post("/images/memes/3.jpg", content=images[3])
    assert answer.status_code == 422
    assert "'memes/3.jpg' is in the gallery already" in answer.json()["detail"]
    answer = service.post("/images/text", content=b"text")
    assert answer.status_code == 422
    assert "not in an image format" in answer.json()["detail"]
    assert service.post("/search", content=b"").status_code == 422
    answer = service.post("/search", content=images[3], params={"radius": 257})
    assert "radius is 257; it must be between 0 and" in answer.json()["detail"]
    answer = service.delete("/images/memes/99.jpg")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "no hash has the id 'memes/99.jpg'; nothing was removed"

    for k in range(2):
        assert service.delete(f"/images/memes/{k}.jpg").status_code == 204
        assert everywhere(service, images[k], radius=0) == []
    assert service.post("/images/again", content=images[0]).status_code == 201
    assert everywhere(service, images[0], radius=0) == [{"id": "again", "distance": 0}]
    stored = Gallery.load(tmp_path / "gallery")
    assert set(stored.ids) == {f"memes/{k}.jpg" for k in range(2, 20)} | {"again"}


@pytest.mark.slow
def test_large_uploads_and_images_of_many_pixels_are_refused(module):
    for path in ("/search", "/images/large"):
        answer = ask(module, "POST", path, bytes(5001))
        assert answer.status_code == 413
        assert answer.json() == {"detail": "the image has more than 5,000 bytes"}
        assert ask(module, "POST", path, chunked([bytes(1000)] * 10)).status_code == 413
        answer = ask(module, "POST", path, plain_png(21))
        assert answer.status_code == 422
        assert "21 x 21 pixels" in answer.json()["detail"]
    assert ask(module, "POST", "/images/small", plain_png(20)).status_code == 201
    assert module.gallery.ids == ["small"]


@pytest.mark.slow
def test_a_busy_gallery_is_unavailable_for_a_while(module, monkeypatch):
    def busy(*_, **__):
        raise TimeoutError("other processes have changed the gallery for 10 s")

    monkeypatch.setattr(module.gallery, "remove", busy)
    answer = ask(module, "DELETE", "/images/17")
    assert answer.status_code == 503
    assert answer.json()["detail"] == "other processes have changed the gallery for 10 s"


@pytest.mark.slow
def test_the_default_radius_is_the_threshold_for_a_search(module):
    (radius, _) = module.app.openapi()["paths"]["/search"]["post"]["parameters"]
    assert (radius["name"], radius["schema"]["default"]) == ("radius", 72)
