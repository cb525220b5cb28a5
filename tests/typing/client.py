"""A program that uses the library, for type checkers to read; it is never run.

It covers the calls of the README's example. mypy and Pyright report an error for each
``assert_type`` that the library's annotations contradict.
"""

import io
from collections.abc import MutableSequence, Sequence
from io import BytesIO
from pathlib import Path
from typing import assert_type

import numpy as np
from imagehash import ImageHash
from numpy.typing import NDArray
from PIL import Image

import finhash
from finhash import FINDHasher, HashTable, find_hash, hash_files, hash_images, methods
from finhash.cluster import families
from finhash.hamming import Gallery, join, join_blocks, nearest
from finhash.images import ImageError, open_image, to_rgb


def one_image(path: Path) -> None:
    assert_type(find_hash(path), ImageHash)
    assert_type(find_hash("a.jpg") - find_hash("b.jpg"), int)
    assert_type(finhash.find_hash(path.read_bytes()), ImageHash)
    assert_type(FINDHasher().fromFile(str(path)), ImageHash)
    assert_type(FINDHasher().fromImage(Image.open(path)), ImageHash)
    with path.open("rb") as file:
        assert_type(find_hash(file), ImageHash)
        assert_type(FINDHasher().fromFile(file), ImageHash)
    assert_type(find_hash(io.BytesIO()), ImageHash)
    assert_type(find_hash(memoryview(b"")), ImageHash)
    try:
        assert_type(open_image(path), Image.Image)
    except ImageError as error:
        assert_type(error, ImageError)
    assert_type(to_rgb(path), NDArray[np.uint8])


class Mine(FINDHasher):
    LUMA_FROM_R_COEFF = 0.5

    @classmethod
    def boxFilter(  # noqa: N802
        cls,
        input: Sequence[float],
        output: MutableSequence[float],
        rows: int,
        cols: int,
        rowWin: int,  # noqa: N803
        colWin: int,  # noqa: N803
    ) -> None:
        output[:] = input


def published_class(image: Image.Image) -> None:
    hasher = Mine()
    luma, blurred = [0.0] * (image.width * image.height), [0] * (image.width * image.height)
    samples, half_done, coefficients = ([[0] * 64 for _ in range(n)] for n in (64, 16, 16))
    hasher.fillFloatLumaFromBufferImage(image, luma)
    found = hasher.findHash256FromFloatLuma(
        luma, blurred, image.height, image.width, samples, half_done, coefficients
    )
    assert_type(found, ImageHash)
    assert_type(hasher.DCT_matrix, list[list[float]])
    assert_type(FINDHasher.computeBoxFilterWindowSize(250), int)
    assert_type(hasher.prettyHash(found), NDArray[np.int_] | None)


def many_images(paths: Sequence[str]) -> None:
    table = hash_files(paths, methods=["find"], workers=2, executor="processes")
    assert_type(table, HashTable)
    assert_type(table.paths, list[str])
    assert_type(table.errors, list[str])
    assert_type(HashTable.read("hashes.parquet"), HashTable)
    assert_type(hash_files(Path("memes")), HashTable)
    stored = {"17": Path("a.jpg").read_bytes(), "18": Path("b.jpg").read_bytes()}
    assert_type(hash_images(stored.items()), HashTable)
    assert_type(hash_images((path, BytesIO(b"...")) for path in paths), HashTable)
    assert_type(hash_images([("1", Image.new("L", (9, 9))), ("2", Path("a.jpg"))]), HashTable)
    table.write("hashes.parquet")
    hashes = table.without_errors().hashes("find")
    i, j, distance = join(hashes, radius=60)
    gallery = Gallery(hashes)
    for block in join_blocks(hashes, gallery, radius=60):
        assert_type(block[0].nbytes, int)
    index, nearest_distance = nearest(hashes, gallery, 1)
    labels = families(hashes, radius=60)
    # Of a name without a type, nbytes would be Any.
    assert_type(hashes.nbytes, int)
    assert_type(i.nbytes, int)
    assert_type(j.nbytes, int)
    assert_type(distance.nbytes, int)
    assert_type(index.nbytes, int)
    assert_type(nearest_distance.nbytes, int)
    assert_type(labels.nbytes, int)


def mine(image: Image.Image) -> NDArray[np.uint8]:
    return np.zeros(8, np.uint8)


def own_hash(paths: Sequence[str]) -> None:
    assert_type(methods.register("mine", mine, bits=64), methods.Method)
    assert_type(methods.resolve("find"), methods.Method)
    assert_type(finhash.evaluate(paths, fpr=1e-3).notes, list[str])


def by_name(image: Image.Image, name: methods.MethodName) -> None:
    method = methods.get(name)
    assert_type(method, methods.Method)
    assert_type(method.hash(image), NDArray[np.uint8])
    assert_type(method.image_hash(image), ImageHash)
    assert_type(methods.METHODS, dict[str, methods.Method])
