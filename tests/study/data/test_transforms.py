"""Transformed images and the table of their hashes."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from finhash import methods
from finhash.images import open_image
from finhash.study import project
from finhash.study.data import datasets, memes, standin, transforms
from finhash.tables.hash_table import HashTable

METHODS = ["find", "dhash64"]
CELLS = [(t.name, strength) for t in transforms.TRANSFORMS.values() for strength in t.strengths]
IN_TABLE = [(name, str(strength)) for name, strength in CELLS]
ORDERED = {*transforms.TRANSFORMS} - {"resize", "aspect", "flip", "caption_removed", "colour"}
"""Transforms that change more pixels the stronger they are, also after resizing to one size."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINHASH_HOME", str(tmp_path_factory.mktemp("home")))
        for name in ("FINHASH_TEMPLATES", "FINHASH_DAS_IMAGES"):
            patch.delenv(name, raising=False)
        patch.setattr(standin, "PROBES", range(1))
        yield datasets.load(project.Scale("tiny", families=4, per_family=3), progress=False)


@pytest.fixture(scope="module")
def subjects(dataset):
    """Images with an upper and a lower caption, so that either can be removed."""
    found = [subject for subject in map(transforms.Subject, dataset.paths) if all(subject.caption)]
    assert len(found) > 8
    return found


@pytest.fixture(scope="module")
def table(dataset):
    paths = dataset.paths[:2]
    return transforms.hash_transformed(dataset, paths, METHODS, progress=False)


def changed(subject, name, strength) -> Image.Image:
    return open_image(transforms.TRANSFORMS[name].apply(subject, strength)).convert("RGB")


def apart(first: Image.Image, second: Image.Image) -> float:
    """Return the mean difference of pixels; the second image is resized to the first."""
    pixels = (np.asarray(image.resize(first.size), float) for image in (first, second))
    return float(np.abs(np.subtract(*pixels)).mean())


def test_the_grid_is_described_and_lacks_captions_where_templates_are_unknown():
    assert len(transforms.TRANSFORMS) == 16
    assert all(len(set(t.strengths)) >= 3 for t in transforms.TRANSFORMS.values())
    described = transforms.described()["strengths"].str.split(", ")
    assert [(name, s) for name, each in described.items() for s in each] == IN_TABLE
    assert transforms.grid("memes") == transforms.grid("drawn") == list(transforms.TRANSFORMS)
    unknown = set(transforms.TRANSFORMS) - set(transforms.grid("das_images"))
    assert unknown == {"caption_changed", "caption_removed"}


@pytest.mark.parametrize(("name", "strength"), CELLS)
def test_every_transform_changes_the_image_and_repeats(subjects, name, strength):
    subject, again = subjects[0], transforms.Subject(subjects[0].path)
    jpeg = transforms.TRANSFORMS[name].apply(subject, strength)
    assert jpeg == transforms.TRANSFORMS[name].apply(again, strength)
    image, unchanged = open_image(jpeg), open_image(memes.jpeg(subject.image, 95))
    assert image.size != unchanged.size or apart(unchanged, image.convert("RGB")) > 0.1
    expected = open_image(memes.jpeg(subject.image, strength if name == "jpeg" else 95))
    assert image.quantization[0] == expected.quantization[0]


@pytest.mark.parametrize("name", sorted(ORDERED))
def test_strengths_are_ordered_from_mild_to_strong(subjects, name):
    strengths = transforms.TRANSFORMS[name].strengths
    means = [
        np.mean([apart(s.image, changed(s, name, x)) for s in subjects[:6]]) for x in strengths
    ]
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
def test_transforms_have_the_expected_sizes(subjects, name, strength, size):
    assert changed(subjects[0], name, strength).size == size


@pytest.mark.parametrize("axis", ["horizontal", "vertical", "both"])
def test_flipping_twice_restores_the_image(subjects, axis):
    flip = transforms.TRANSFORMS["flip"].function
    once = flip(subjects[0], axis)
    assert once.tobytes() != subjects[0].image.tobytes()
    assert flip(SimpleNamespace(image=once), axis).tobytes() == subjects[0].image.tobytes()


def test_noise_has_its_standard_deviation(subjects):
    flat = SimpleNamespace(image=Image.new("RGB", (250, 250), "grey"), stream=subjects[0].stream)
    noisy = transforms.TRANSFORMS["noise"].function(flat, 15)
    assert np.std(noisy) == pytest.approx(15, rel=0.02)


def test_a_grey_image_has_equal_channels(subjects):
    grey = np.asarray(changed(subjects[0], "colour", "grey"))
    np.testing.assert_array_equal(grey[..., 1], grey[..., 0])
    np.testing.assert_array_equal(grey[..., 2], grey[..., 0])


def test_a_border_surrounds_the_image(subjects):
    bordered = changed(subjects[0], "border", 20)
    assert np.asarray(bordered)[:46].max() < 10
    assert apart(subjects[0].image, bordered.crop((50, 50, 300, 300))) < 2


def test_random_streams_differ_between_images_and_strengths(subjects):
    first, second = subjects[:2]
    streams = [first.stream("noise", 5), first.stream("noise", 15), second.stream("noise", 5)]
    assert len({stream.random() for stream in streams}) == 3
    assert first.stream("noise", 5).random() == first.stream("noise", 5).random()


def test_removing_a_caption_shows_the_template(subjects):
    for subject in subjects[:3]:
        blank, upper, lower = (
            np.asarray(changed(subject, "caption_removed", half), int)
            for half in ("both", "upper", "lower")
        )
        # Each caption stays in its half. JPEG spreads changes by a block at most.
        np.testing.assert_array_equal(upper[:110], blank[:110])
        np.testing.assert_array_equal(lower[140:], blank[140:])
        assert not np.array_equal(upper, blank)
        assert not np.array_equal(lower, blank)
        assert np.abs(blank - np.asarray(subject.template, int)).mean() < 5
        assert np.abs(lower - np.asarray(subject.image, int))[:110].mean() < 2


def test_template_and_caption_reproduce_the_file(subjects):
    subject = subjects[0]
    assert memes.render(subject.template, *subject.caption) == subject.path.read_bytes()


def test_another_caption_keeps_the_template(subjects):
    blank = changed(subjects[0], "caption_removed", "both")
    other = changed(subjects[0], "caption_changed", "another")
    middle = (0, 100, 250, 150)
    assert apart(blank.crop(middle), other.crop(middle)) < 2
    assert apart(blank, other) > 5


def test_jpeg_compression_changes_few_bits_of_the_hash(subjects):
    find = methods.get("find")
    for subject in subjects:
        jpeg = transforms.TRANSFORMS["jpeg"].apply(subject, 50)
        differ = np.bitwise_count(find.hash(subject.path) ^ find.hash(jpeg)).sum()
        assert differ <= 12


def test_queries_are_the_first_images_of_evenly_spaced_families(dataset):
    assert [path.name for path in transforms.queries(dataset, 2)] == [
        "0000_00000.jpg",
        "0002_00000.jpg",
    ]
    assert len(transforms.queries(dataset, 99)) == 4


def test_the_table_has_every_cell_hashed_as_if_from_a_file(dataset, table):
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
        np.testing.assert_array_equal(table.hashes(name)[: len(jpegs)], alone)


@pytest.mark.slow
def test_the_table_does_not_depend_on_the_number_of_workers(dataset, table):
    paths = dataset.paths[:2]
    two = transforms.hash_transformed(dataset, paths, METHODS, workers=2, progress=False)
    assert two.arrow.equals(table.arrow, check_metadata=True)


def test_the_table_can_be_saved(table, tmp_path):
    table.write(tmp_path / "transformed.parquet")
    again = HashTable.read(tmp_path / "transformed.parquet")
    assert again.arrow.equals(table.arrow, check_metadata=True)


@pytest.mark.slow
def test_a_damaged_image_has_rows_with_the_reason(tmp_path, dataset):
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
