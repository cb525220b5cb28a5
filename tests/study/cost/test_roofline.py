"""Instructions are counted in given listings, and every kernel has a positive bound."""

import numpy as np
import pytest

from finhash.study.cost import roofline

AVX512 = """
kernel:
    movq %rdi, %rax
.LBB0_1:
    vpbroadcastq (%rdi), %zmm0
.LBB0_2:
    vmovdqu64 (%rsi,%rcx,8), %zmm3     # the columns' words
    vpxorq %zmm3, %zmm0, %zmm4
    vpxorq (%rdx,%rcx,8), %zmm1, %zmm5
    vpopcntq %zmm4, %zmm4
    vpopcntq %zmm5, %zmm5
    vpaddq %zmm4, %zmm5, %zmm5
    vpmadd52luq %zmm2, %zmm5, %zmm6
    vpternlogq $254, %zmm5, %zmm6, %zmm7
    vpminuq %zmm7, %zmm8, %zmm8
    vpmovqw %zmm7, (%r8,%rcx,2)
    vmovdqu64 %zmm7, 64(%rsp,%rcx,8)
    .p2align 4
    movl 4(%r9,%rcx), %ebx
    leaq 8(%rcx), %rcx
    incl (%r10,%rbx,4)
    cmpq %rcx, %rax
    jne .LBB0_2
    decq %r11
    jne .LBB0_1
.LBB0_3:
    popcntq (%rsi), %rbx
    jne .LBB0_3
"""

AVX2 = """
.LBB0_1:
\tvmovdqu\t(%rsi,%rcx,8), %ymm3
\tvpxor\t%ymm3, %ymm0, %ymm4
\tvpand\t%ymm4, %ymm1, %ymm5
\tvpshufb\t%ymm5, %ymm2, %ymm5
\tvpsrlw\t$4, %ymm4, %ymm4
\tvpand\t%ymm4, %ymm1, %ymm4
\tvpshufb\t%ymm4, %ymm2, %ymm4
\tvpaddb\t%ymm4, %ymm5, %ymm4
\tvpsadbw\t%ymm6, %ymm4, %ymm4
\tvpcmpgtq\t%ymm4, %ymm7, %ymm8
\tvblendvpd\t%ymm8, %ymm4, %ymm7, %ymm7
\tjne\t.LBB0_1
"""


def test_instructions_of_avx512_are_counted_per_pair():
    loop = roofline.hot_loop(AVX512)
    assert loop[0].startswith("vmovdqu64") and loop[-1] == "jne .LBB0_2"
    per_pair, bits = roofline.count(loop, words=2)  # 16 words, 8 pairs
    assert bits == 512
    assert (8 * per_pair).to_dict() == {
        "logic": 3,
        "popcount": 2,
        "add": 2,
        "compare": 1,
        "narrow": 1,
        "vector": 9,
        "load": 2,
        "store": 2,
        "scalar load": 1,
        "increment": 1,
    }


def test_instructions_of_avx2_are_counted_per_pair():
    per_pair, bits = roofline.count(roofline.hot_loop(AVX2), words=1)  # 4 words, 4 pairs
    assert bits == 256
    counted = (4 * per_pair)[lambda counts: counts > 0].to_dict()
    assert counted == {"logic": 3, "popcount": 3, "add": 2, "compare": 2, "vector": 10, "load": 1}


def test_a_listing_without_vectors_is_refused():
    with pytest.raises(ValueError, match="no loop with vpopcntq or vpshufb"):
        roofline.hot_loop(".L1:\n popcntq %rax, %rbx\n jne .L1")


@pytest.mark.slow
def test_every_kernel_has_a_positive_bound():
    hashes = np.random.default_rng(0).integers(0, 256, (600, 32), dtype=np.uint8)
    table = roofline.roofline(hashes, radius=90, repeats=1)
    assert table["kernel"].tolist() == ["lower bound", "mask", "histogram"]
    assert (table[["bound", "measured", "share", "vector", "popcount"]] > 0).all(axis=None)
    assert table["increment"].tolist()[:2] == [0, 0]
    assert table["increment"].tolist()[2] == 0.5  # one increment counts two pairs
