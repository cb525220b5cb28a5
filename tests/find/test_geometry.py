"""The DCT matrix has the same bits on every machine, whatever its C library."""

import hashlib
import math
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest

from finhash.find import plain
from finhash.find.geometry import DCT, KEPT, SAMPLES, cosine
from finhash.images import to_rgb

VECTORS = Path(__file__).resolve().parents[1] / "vectors"


def test_the_matrix_is_fixed():
    digest = hashlib.sha256(DCT.astype(">f8").tobytes()).hexdigest()
    assert digest == "28de4b3ca8f817b0ad28116aef6432394d24be57a509b2983b9cded35a4a3939"


def test_cosines_are_correctly_rounded():
    for i in range(KEPT):
        for j in range(SAMPLES):
            angle = (math.pi / 2 / SAMPLES) * (i + 1) * (2 * j + 1)
            assert DCT[i, j] == float(series(angle))


def test_other_angles():
    assert cosine(0.0) == 1.0
    assert cosine(math.pi) == -1.0
    assert all(abs(cosine(k / 7) - math.cos(k / 7)) <= 2**-53 for k in range(-300, 300))


@pytest.fixture
def last_bits(monkeypatch):
    """Return a function that changes the last bit of 33 cosines, as many as musl's differ in."""

    def change():
        places = np.random.default_rng(0).choice(DCT.size, 33, replace=False)
        matrix = DCT.copy()
        matrix.flat[places] = np.nextafter(matrix.flat[places], 2)
        monkeypatch.setattr(plain, "DCT", matrix)
        monkeypatch.setattr(plain, "DCT_T", np.ascontiguousarray(matrix.T))

    return change


def test_last_bits_of_the_matrix_decide_over_flat_images_alone(last_bits):
    scenes = [to_rgb(VECTORS / f"scene_{side}.png") for side in (63, 64, 65, 183, 250, 512)]
    flat = [np.full((64, 64, 3), grey, np.uint8) for grey in range(1, 256, 8)]
    before = [[plain.hash_rgb(image).tolist() for image in some] for some in (scenes, flat)]
    last_bits()
    after = [[plain.hash_rgb(image).tolist() for image in some] for some in (scenes, flat)]
    assert after[0] == before[0]
    changed = [one != other for one, other in zip(before[1], after[1], strict=True)]
    assert sum(changed) > len(flat) // 2


def series(angle: float) -> Decimal:
    """Return the cosine to some fifty decimal places, from the Taylor series of the whole angle."""
    with localcontext() as context:
        context.prec = 90
        square, term, total = Decimal(angle) ** 2, Decimal(1), Decimal(0)
        for k in range(1, 240):
            total += term
            term *= -square / (2 * k * (2 * k - 1))
        return total
