"""Look images up over HTTP. In this folder: ``GALLERY=gallery uvicorn service:app --workers 2``.

All workers share the gallery in one folder. Images are sent as the body of a request, as in
``curl --data-binary @a.jpg "localhost:8000/search?radius=60"``. Install ``fastapi``, ``uvicorn``
and ``uvloop``; without the last one, uvicorn's workers answer 40 ms later.
"""

import os
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse

from finhash import Gallery

app = FastAPI()
gallery = Gallery.load(os.environ.get("GALLERY", "gallery"), readonly=False, create=True)


async def body(request: Request) -> bytes:
    """Return the body of a request."""
    return await request.body()


@app.post("/images/{id:path}", status_code=201)
def add(id: str, image: Annotated[bytes, Depends(body)]) -> None:
    """Add an image."""
    gallery.add(image, ids=id)


@app.post("/search")
def search(image: Annotated[bytes, Depends(body)], radius: int = 60, k: int = 10) -> list[dict]:
    """Return the nearest images within a radius."""
    gallery.refresh()  # other workers may have changed the folder
    return [match._asdict() for match in gallery.search(image, radius=radius, k=k)]


@app.delete("/images/{id:path}", status_code=204)
def remove(id: str) -> None:
    """Remove an image."""
    gallery.remove(id)


@app.exception_handler(ValueError)  # not an image, an id that is used already, a wrong radius
@app.exception_handler(KeyError)  # an id that is not there
def refuse(request: Request, error: Exception) -> JSONResponse:
    """Answer with the sentence of the error."""
    if isinstance(error, KeyError):
        return JSONResponse({"detail": error.args[0]}, 404)  # str(error) adds quotation marks
    return JSONResponse({"detail": str(error)}, 422)
