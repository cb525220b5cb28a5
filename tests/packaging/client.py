"""A client of the installed library: ``python client.py FOLDER`` hashes, stores and looks up."""

import sys
from pathlib import Path

import numpy as np

import finhash
from finhash import FINDHasher, Gallery, HashTable, cluster, find_hash, hamming, hash_files

RADIUS = 60


def main(folder: Path) -> None:
    """Use the library as its guide describes; print what a test compares."""
    assert "site-packages" in finhash.__file__, finhash.__file__
    paths = sorted(folder.glob("*.jpg"))
    first = find_hash(paths[0])
    assert first.hash.shape == (16, 16)
    assert str(FINDHasher().fromFile(str(paths[0]))) == str(first)

    table = hash_files(
        paths, ["find", "phash64"], workers=2, executor="processes", out="hashes", progress=False
    )
    assert len(table) == len(paths)
    assert [bool(error) for error in table.errors] == [False] * 12 + [True]
    table.write("hashes.parquet")
    table = HashTable.read("hashes.parquet").without_errors()
    hashes = table.hashes("find")
    assert np.packbits(first.hash).tolist() == hashes[0].tolist()

    i, j, distance = hamming.join(hashes, radius=RADIUS)
    assert len(i) >= 4
    assert (np.bitwise_count(hashes[i] ^ hashes[j]).sum(axis=1) == distance).all()
    labels = cluster.families(hashes, RADIUS)
    assert all(labels[i] == labels[j])

    gallery = Gallery(hashes, ids=table.paths, method="find")
    gallery.remove(table.paths[0])
    gallery.save("gallery")
    found = Gallery.load("gallery").search(paths[1], k=1)
    assert [(match.id, match.distance) for match in found] == [(str(paths[1]), 0)]
    print(first)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
