"""Proof that a hash computed in a fast order has the published bits.

Each bit of a hash says whether a DCT coefficient exceeds the lower median of all 256 coefficients.
Rounding affects a bit only if its coefficient lies very close to the median. This happens in flat,
striped or symmetric images. Implementations therefore compute the coefficients in a fast order
first. A bound limits how far they can be from those of the published program. If no coefficient is
so close to the median that the bound allows another bit, the bits are proved equal to the published
ones. Otherwise the image is hashed again by the published operations in the published order. The
idea is that of adaptive-precision geometric predicates (Shewchuk 1997).

**Bound.** Let ``u = 2**-53`` be the unit roundoff and ``g(n) = n u / (1 - n u)``. A product of n
factors ``1 + d`` with ``|d| <= u`` differs from 1 by at most ``g(n)`` (Higham 2002, lemma 3.1). Let
``A >= 0`` be the exact window means times 1000, and let ``D`` be the stored DCT matrix, which both
paths use. Let ``B = D A D'`` be the exact coefficients, and ``M = |D| A |D'|``. Each rounded
operation below multiplies the terms of its result by one factor ``1 + d``.

* *Published path*, times 1000. The term of a pixel is affected by the rounding of a constant, one
  product and at most two sums, then by at most n - 1 sums in a window of n pixels, and by one
  division: n + 4 factors. Each of the two matrix products sums 64 products, which adds at most 64
  factors per term. Hence ``|B_published - B| <= g(n + 132) M``.
* *Fast order*. The sums over windows are exact integers. They are multiplied by two rounded
  reciprocals: 4 factors. The two matrix products add at most 64 factors per term each, in any
  order, and with or without fused multiply-add. Hence ``|B_fast - B| <= g(132) M``.

Let ``r = max_i sum_k |D[i, k]|``. As ``A <= 255,000``, ``M <= 255,000 r**2``. As ``n <= 100``,
``|B_published - B_fast| <= e`` with ``e = 255,000 r**2 (g(232) + g(132))``.

**Certificate.** Let m be the lower median of the fast coefficients, found at place c. Suppose that
every other coefficient is farther than ``2 e`` from m. Each of the two coefficients in a comparison
moves by at most ``e`` between the paths, so each coefficient is on the same side of the one at c in
both paths. In the published path, too, 127 coefficients are then below the one at c and 128 above
it. The lower median is at c there as well, and all bits are equal. ``MARGIN`` is twice ``2 e``,
which also covers the rounding of e, of r and of the test itself.
"""

import numpy as np

from finhash.find.geometry import DCT

MARGIN = 4 * 255_000 * np.abs(DCT).sum(axis=1).max() ** 2 * (232 + 132) * 2.0**-53
"""Distance from the median beyond which bits are proved, in coefficients of ``1000 luma``."""
