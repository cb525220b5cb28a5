"""Look images up over HTTP.

Run it in this folder with ``GALLERY=gallery uvicorn service:app --workers 2``. Install ``fastapi``,
``uvicorn`` and ``uvloop`` first; without uvloop, responses take 40 ms longer.

All workers share the gallery in one folder. An image is the body of a request, as in
``curl --data-binary @a.jpg "localhost:8000/search?radius=72"``. Uploads of more than ``MOST_BYTES``
bytes and images of more than ``MOST_PIXELS`` pixels are refused. The service has no users and no
limit on the number of requests: leave these to a proxy in front of it.
"""

import os
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

import finhash
from finhash import Gallery
from finhash.images import pixel_limit
from finhash.thresholds import threshold

MOST_BYTES = int(os.environ.get("MOST_BYTES", 20_000_000))
"""Largest size of an upload, in bytes."""

MOST_PIXELS = int(os.environ.get("MOST_PIXELS", 50_000_000))
"""Largest number of pixels that are decoded. Decoding needs about 4 bytes per pixel."""

RADIUS = threshold("search", "find")
"""Default threshold: 72 bits, the recommendation for ranked answers that a person looks at."""

finhash.warm_up()  # compile and load all code before the first request
app = FastAPI()
gallery = Gallery.load(os.environ.get("GALLERY", "gallery"), readonly=False, create=True)


async def body(request: Request) -> bytes:
    """Return the body of a request; stop reading when it is too large."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MOST_BYTES:
            raise HTTPException(413, f"the image has more than {MOST_BYTES:,} bytes")
    return bytes(content)


@app.post("/images/{id:path}", status_code=201)
def add(id: str, image: Annotated[bytes, Depends(body)]) -> None:
    """Add an image."""
    with pixel_limit(MOST_PIXELS):
        gallery.add(image, ids=id)


@app.post("/search")
def search(image: Annotated[bytes, Depends(body)], radius: int = RADIUS, k: int = 10) -> list[dict]:
    """Return the nearest images within a radius."""
    gallery.refresh()  # other workers may have changed the folder
    with pixel_limit(MOST_PIXELS):
        return [match._asdict() for match in gallery.search(image, radius=radius, k=k)]


@app.delete("/images/{id:path}", status_code=204)
def remove(id: str) -> None:
    """Remove an image."""
    gallery.remove(id)


@app.exception_handler(ValueError)  # not an image, too many pixels, an id in use, a wrong radius
@app.exception_handler(KeyError)  # an id that the gallery does not hold
@app.exception_handler(TimeoutError)  # other workers changed the gallery for ten seconds
def refuse(request: Request, error: Exception) -> JSONResponse:
    """Return the error's message as JSON."""
    if isinstance(error, KeyError):
        return JSONResponse({"detail": error.args[0]}, 404)  # str(error) adds quotation marks
    return JSONResponse({"detail": str(error)}, 503 if isinstance(error, TimeoutError) else 422)
