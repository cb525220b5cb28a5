"""The grid of transforms: what each does to pixels, and what is counted of the hashes."""

import io
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image
from scipy.spatial.distance import cdist

from finhash import methods
from finhash.images import open_image
from finhash.jobs import rows
from finhash.jobs.table import HashTable
from finhash.study import project
from finhash.study.accuracy import robustness
from finhash.study.data import datasets, memes, transforms

METHODS = ["find", "dhash64"]
CELLS = [(t.name, strength) for t in transforms.TRANSFORMS.values() for strength in t.strengths]
IN_TABLE = [(name, str(strength)) for name, strength in CELLS]
MADE = [("resize", "2"), ("resize", "1"), ("blur", "1"), ("blur", "2")]
ORDERED = {*transforms.TRANSFORMS} - {"resize", "aspect", "flip", "caption_removed", "colour"}
"""Those whose strengths differ in degree, and are not undone by bringing pictures to one size."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINHASH_HOME", str(tmp_path_factory.mktemp("home")))
        for name in ("FINHASH_TEMPLATES", "FINHASH_DAS_IMAGES"):
            patch.delenv(name, raising=False)
        yield datasets.load(project.Scale("tiny", families=4, per_family=3), progress=False)


@pytest.fixture(scope="module")
def subjects(dataset):
    """Pictures with an upper and a lower caption, so that both can be removed."""
    found = [subject for subject in map(transforms.Subject, dataset.paths) if all(subject.caption)]
    assert len(found) > 8
    return found


@pytest.fixture(scope="module")
def table(dataset):
    paths = dataset.paths[:2]
    return transforms.hash_transformed(dataset, paths, METHODS, workers=2, progress=False)


def changed(subject, name, strength) -> Image.Image:
    return open_image(transforms.TRANSFORMS[name].apply(subject, strength)).convert("RGB")


def saved(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return open_image(buffer.getvalue())


def apart(first: Image.Image, second: Image.Image) -> float:
    """Mean difference of pixels, the second picture brought to the size of the first."""
    pixels = (np.asarray(image.resize(first.size), float) for image in (first, second))
    return float(np.abs(np.subtract(*pixels)).mean())


def test_the_grid():
    assert len(transforms.TRANSFORMS) == 16
    assert all(len(set(t.strengths)) >= 3 for t in transforms.TRANSFORMS.values())
    told = transforms.described()["strengths"].str.split(", ")
    assert [(name, s) for name, each in told.items() for s in each] == IN_TABLE
    assert transforms.grid("memes") == transforms.grid("drawn") == list(transforms.TRANSFORMS)
    unknown = set(transforms.TRANSFORMS) - set(transforms.grid("das_images"))
    assert unknown == {"caption_changed", "caption_removed"}


@pytest.mark.parametrize(("name", "strength"), CELLS)
def test_every_change_changes_and_repeats(subjects, name, strength):
    subject, again = subjects[0], transforms.Subject(subjects[0].path)
    jpeg = transforms.TRANSFORMS[name].apply(subject, strength)
    assert jpeg == transforms.TRANSFORMS[name].apply(again, strength)
    image, plain = open_image(jpeg), saved(subject.image, 95)
    assert image.size != plain.size or apart(plain, image.convert("RGB")) > 0.1
    quality = strength if name == "jpeg" else 95
    assert image.quantization[0] == saved(subject.image, quality).quantization[0]


@pytest.mark.parametrize("name", sorted(ORDERED))
def test_the_mildest_is_first(subjects, name):
    strengths = transforms.TRANSFORMS[name].strengths
    means = [np.mean([apart(s.image, changed(s, name, x)) for s in subjects]) for x in strengths]
    assert means == sorted(means)


@pytest.mark.parametrize(
    ("name", "strength", "size"),
    [
        ("resize", 0.25, (62, 62)),
        ("resize", 2, (500, 500)),
        ("aspect", 1.5, (375, 250)),
        ("crop", 10, (200, 200)),
        ("border", 10, (300, 300)),
        ("rotation", 10, (250, 250)),
        ("screenshot", "16:9", (250, 444)),
    ],
)
def test_sizes(subjects, name, strength, size):
    assert changed(subjects[0], name, strength).size == size


@pytest.mark.parametrize("axis", ["horizontal", "vertical", "both"])
def test_a_flip_undoes_itself(subjects, axis):
    flip = transforms.TRANSFORMS["flip"].function
    once = flip(subjects[0], axis)
    assert once.tobytes() != subjects[0].image.tobytes()
    assert flip(SimpleNamespace(image=once), axis).tobytes() == subjects[0].image.tobytes()


def test_noise_has_its_deviation_and_grey_has_no_colour(subjects):
    flat = SimpleNamespace(image=Image.new("RGB", (250, 250), "grey"), stream=subjects[0].stream)
    noisy = transforms.TRANSFORMS["noise"].function(flat, 15)
    assert np.std(noisy) == pytest.approx(15, rel=0.02)
    grey = np.asarray(changed(subjects[0], "colour", "grey"))
    assert (grey == grey[..., :1]).all()


def test_a_border_is_cropped_off_again(subjects):
    bordered = changed(subjects[0], "border", 20)
    assert np.asarray(bordered)[:46].max() < 10
    assert apart(subjects[0].image, bordered.crop((50, 50, 300, 300))) < 2


def test_random_changes_differ_between_pictures_and_strengths(subjects):
    first, second = subjects[:2]
    streams = [first.stream("noise", 5), first.stream("noise", 15), second.stream("noise", 5)]
    assert len({stream.random() for stream in streams}) == 3
    assert first.stream("noise", 5).random() == first.stream("noise", 5).random()


def test_a_caption_removed_leaves_the_template(subjects):
    for subject in subjects[:3]:
        blank, upper, lower = (
            np.asarray(changed(subject, "caption_removed", half), int)
            for half in ("both", "upper", "lower")
        )
        # Captions stay in their halves; JPEG mixes no pixels across its blocks but the nearest.
        assert (upper[:110] == blank[:110]).all()
        assert (lower[140:] == blank[140:]).all()
        assert (upper != blank).any()
        assert (lower != blank).any()
        assert np.abs(blank - np.asarray(subject.template, int)).mean() < 5
        assert np.abs(lower - np.asarray(subject.image, int))[:110].mean() < 2


def test_template_and_caption_are_those_of_the_file(subjects):
    subject = subjects[0]
    assert memes.render(subject.template, *subject.caption) == subject.path.read_bytes()


def test_another_caption_is_set_on_the_same_template(subjects):
    blank = changed(subjects[0], "caption_removed", "both")
    other = changed(subjects[0], "caption_changed", "another")
    middle = (0, 100, 250, 150)
    assert apart(blank.crop(middle), other.crop(middle)) < 2
    assert apart(blank, other) > 5


def test_a_picture_saved_again_keeps_its_hash(subjects):
    find = methods.get("find")
    for subject in subjects:
        jpeg = transforms.TRANSFORMS["jpeg"].apply(subject, 50)
        differ = np.bitwise_count(find.hash(subject.path) ^ find.hash(jpeg)).sum()
        assert differ <= 12


def test_queries_are_of_as_many_families(dataset):
    assert [path.name for path in transforms.queries(dataset, 2)] == [
        "0000_00000.jpg",
        "0002_00000.jpg",
    ]
    assert len(transforms.queries(dataset, 99)) == 4


def test_the_table_is_whole_and_hashed_as_files_would_be(dataset, table):
    arrow = table.arrow
    keys = list(zip(table.paths, *(arrow[c].to_pylist() for c in transforms.CELL), strict=True))
    assert keys == [(p.name, *cell) for p in dataset.paths[:2] for cell in IN_TABLE]
    assert set(table.errors) == {""}
    assert table.provenance["dataset"] == "drawn"
    assert table.provenance["fingerprint"] == dataset.fingerprint
    subject = transforms.Subject(dataset.paths[0])
    jpegs = [transforms.TRANSFORMS[name].apply(subject, strength) for name, strength in CELLS]
    for name in METHODS:
        alone = [methods.get(name).hash(jpeg) for jpeg in jpegs]
        assert (table.hashes(name)[: len(jpegs)] == alone).all()


def test_the_table_does_not_depend_on_workers(dataset, table, tmp_path):
    paths = dataset.paths[:2]
    one = transforms.hash_transformed(dataset, paths, METHODS, workers=1, progress=False)
    assert one.arrow.equals(table.arrow, check_metadata=True)
    one.write(tmp_path / "transformed.parquet")
    again = HashTable.read(tmp_path / "transformed.parquet")
    assert again.arrow.equals(one.arrow, check_metadata=True)


def test_a_bad_picture_is_rows_with_reasons(tmp_path, dataset):
    bad = tmp_path / "0001_00000.jpg"
    bad.write_bytes(dataset.paths[0].read_bytes()[:3000])
    paths = [bad, dataset.paths[0]]
    own = datasets.Dataset("das_images", tmp_path, paths)
    table = transforms.hash_transformed(own, paths, METHODS, progress=False)
    known = transforms.grid("das_images")
    number = sum(name in known for name, _ in CELLS)
    assert len(table) == 2 * number
    assert all(error.startswith("DamagedImageError: ") for error in table.errors[:number])
    assert set(table.errors[number:]) == {""}
    assert set(table.without_errors().paths) == {dataset.paths[0].name}


@pytest.fixture(scope="module")
def made():
    """Changed pictures, gallery and its families: hashes about centres; one family of one."""
    rng = np.random.default_rng(1)
    families = np.append(rng.integers(0, 30, 1499) * 2, 77)
    centres = rng.integers(0, 256, (78, 8), dtype=np.uint8)
    hashes = centres[families] ^ np.packbits(rng.random((1500, 64)) < 0.15, axis=1)
    names = np.array([f"{family:04d}_{k:05d}.jpg" for k, family in enumerate(families)])
    original = np.append(rng.permutation(1499)[:79], 1499).repeat(4)
    share = np.tile([0.02, 0.3, 0.1, 0.2], 80)[:, None]
    changed = hashes[original] ^ np.packbits(rng.random((320, 64)) < share, axis=1)
    table = hash_table([*names[original], "0000_99999.jpg"], [*changed, None])
    for column, values in zip(transforms.CELL, zip(*MADE * 80, MADE[0], strict=True), strict=True):
        table = HashTable(table.arrow.append_column(column, [values]))
    return table, hash_table(names, hashes), families


def hash_table(names, hashes) -> HashTable:
    """A table of these hashes; one that is None has an error instead."""
    found = [
        {"path": name, "error": "DamagedImageError: made"}
        if hash_ is None
        else {"path": name, "dhash64": hash_.tobytes(), "error": ""}
        for name, hash_ in zip(names, hashes, strict=True)
    ]
    return HashTable(pa.Table.from_pylist(found, rows.schema(["dhash64"])))


@pytest.fixture(scope="module")
def pairs(made) -> pd.DataFrame:
    """Every changed picture with every picture of the gallery, one row a pair."""
    table, gallery = made[0].without_errors(), made[1]
    bits = [np.unpackbits(t.hashes("dhash64"), axis=1).astype(int) for t in (table, gallery)]
    query, picture = (index.ravel() for index in np.indices((len(table), len(gallery))))
    names, others = np.array(table.paths)[query], np.array(gallery.paths)[picture]
    return pd.DataFrame(
        {
            "query": query,
            "cell": query % len(MADE),
            "distance": cdist(*bits, "cityblock").astype(int).ravel(),
            "own": names == others,
            "same": [name[:4] == other[:4] for name, other in zip(names, others, strict=True)],
        }
    )


@pytest.mark.parametrize("radius", [-1, 6, 17])
@pytest.mark.parametrize("workers", [1, 2])
def test_robustness_by_looking_at_every_pair(made, pairs, radius, workers):
    counted, _ = robustness.robustness(*made, {"dhash64": radius}, workers=workers)
    assert list(counted[transforms.CELL].itertuples(index=False, name=None)) == MADE
    for row, (_, group) in zip(counted.itertuples(), pairs.groupby("cell"), strict=True):
        own = group[group["own"]].set_index("query")["distance"]
        rest = group[~group["own"]].assign(near=lambda g: g["distance"] <= radius)
        same, other = rest[rest["same"]], rest[~rest["same"]]
        nearest = rest[rest["distance"] == rest.groupby("query")["distance"].transform("min")]
        assert (row.own_low, row.own_median, row.own_high) == tuple(own.quantile([0.25, 0.5, 0.75]))
        assert row.found_own == (own <= radius).mean()
        assert row.recall == pytest.approx(same.groupby("query")["near"].mean().mean())
        assert row.false_accepts == other.groupby("query")["near"].any().mean()
        assert row.nearest_right == pytest.approx(nearest.groupby("query")["same"].mean().mean())


def test_counts_are_of_every_pair(made, pairs):
    _, counted = robustness.robustness(*made, {"dhash64": 6})
    for kind, kept in (("own", pairs["own"]), ("same", pairs["same"] & ~pairs["own"])):
        expected = pairs[kept].groupby(["cell", "distance"]).size().reset_index()
        cell = [MADE[k] for k in expected.pop("cell")]
        found = counted[counted["kind"] == kind]
        assert list(found[transforms.CELL].itertuples(index=False, name=None)) == cell
        assert (found[["distance", "count"]].to_numpy() == expected.to_numpy()).all()


def test_an_original_must_be_in_the_gallery(made):
    table, gallery, families = made
    fewer = HashTable(gallery.arrow.slice(0, 1000))
    with pytest.raises(KeyError):
        robustness.robustness(table, fewer, families[:1000], {"dhash64": 5})
