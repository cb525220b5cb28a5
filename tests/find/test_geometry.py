"""The DCT matrix has the same bits on every machine, whatever its C library."""

import hashlib
import math
from decimal import Decimal, localcontext

from finhash.find.geometry import DCT, KEPT, SAMPLES, cosine


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


def series(angle: float) -> Decimal:
    """Return the cosine to some fifty decimal places, from the Taylor series of the whole angle."""
    with localcontext() as context:
        context.prec = 90
        square, term, total = Decimal(angle) ** 2, Decimal(1), Decimal(0)
        for k in range(1, 240):
            total += term
            term *= -square / (2 * k * (2 * k - 1))
        return total
