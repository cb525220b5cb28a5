"""Fusions of two hashes."""

import numpy as np
import pytest

from finhash.study.accuracy import bits


@pytest.fixture(scope="module")
def hashes(ten_families):
    packed, _ = ten_families
    rng = np.random.default_rng(2)
    noise = {name: np.packbits(rng.random((200, 256)) < 0.2, axis=1) for name in ("a", "b", "c")}
    return dict(
        zip(
            ("find", "dhash256", "phash256"),
            (packed ^ each for each in noise.values()),
            strict=True,
        )
    )


def test_the_distance_of_a_fusion_is_the_sum_of_its_parts(hashes):
    unpacked = {name: bits.unpack(packed) for name, packed in hashes.items()}
    made = {title: variant(unpacked, {}) for title, variant in bits.FUSIONS.items()}
    distance = {title: (own[0] != own[1]).sum() for title, own in made.items()}
    for title, own in made.items():
        names = title.split(" + ")
        assert own.shape[1] == sum(made[name].shape[1] for name in names)
        assert distance[title] == sum(distance[name] for name in names)
    assert made["FINd + dHash, middle rows"].shape[1] == 384


def test_the_methods_of_a_fusion_suffice_to_make_it(hashes):
    assert bits.FUSED_METHODS.keys() == bits.FUSIONS.keys()
    for title, names in bits.FUSED_METHODS.items():
        bits.FUSIONS[title]({name: bits.unpack(hashes[name]) for name in names}, {})


def test_fusions_are_cross_validated_by_title(hashes, ten_families):
    _, families = ten_families
    found = bits.held_out(hashes, families, [0.1], folds=2, seed=0, variants=bits.FUSIONS)
    assert found["variant"].tolist() == list(bits.FUSIONS)
    alone = bits.held_out(
        hashes, families, [0.1], folds=2, seed=0, variants={"FINd": bits.all_bits("find")}
    )
    assert found.iloc[0].equals(alone.iloc[0])


def test_scans_are_timed_by_length(hashes, ten_families):
    found = bits.scan_times(hashes, ten_families[1], 2)
    warm = found[found["state"] == "warm"]
    assert warm.groupby("contender").size().to_dict() == {128: 2, 256: 2, 384: 2, 512: 2}
    assert (found["seconds"] > 0).all()
