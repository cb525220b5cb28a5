"""Hashes are refused for versions that can change their bits, and for those alone."""

import platform

import pytest

from finhash import HashTable, hash_files, methods
from finhash.jobs import parts
from finhash.tables import provenance, schema
from finhash.tables.provenance import SOFTWARE, difference, versions
from tests.conftest import jpeg_bytes

FAMILIES = {name.rstrip("0123456789") for name in methods.BUILT_IN}
HERE = {
    **{"platform": "Linux x86_64", "libc": "glibc 2.36"},
    **{"python": "3.12.1", "finhash": "0.1.0", "numpy": "2.4.6", "numba": "0.68.1"},
    **{"pillow": "13.0.0", "libjpeg-turbo": "3.2.0", "simplejpeg": "1.9.0"},
    **{"imagehash": "4.3.2", "scipy": "1.17.1", "PyWavelets": "1.9.0", "pdqhash": "0.2.8"},
}

UNCOMPARED = {"python", "platform", "libc"}


def test_everything_that_computes_hashes_is_recorded():
    found = versions()
    assert {*provenance.PACKAGES, *UNCOMPARED, "libjpeg-turbo"} == found.keys()
    assert set().union(*SOFTWARE.values()) <= found.keys()


def test_the_platform_is_recorded():
    assert versions()["platform"] == f"{platform.system()} {platform.machine()}"
    assert versions()["libc"].split() == list(platform.libc_ver())


def test_a_c_library_that_python_does_not_recognise_is_left_out(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert "libc" not in versions.__wrapped__()


def test_every_built_in_method_has_an_entry():
    assert SOFTWARE.keys() == FAMILIES


def test_ranges_are_ordered():
    for spans in SOFTWARE.values():
        for ranges in spans.values():
            ends = [provenance._numbers(end) for span in ranges for end in span]
            assert ends == sorted(ends)


@pytest.mark.parametrize("name", ["python", "platform", "libc", "numpy", "numba", "finhash"])
@pytest.mark.parametrize("method", sorted(methods.BUILT_IN))
def test_no_built_in_method_depends_on_these(name, method):
    assert difference(HERE, HERE | {name: "99.0"}, [method]) == ""


@pytest.mark.parametrize(
    ("name", "affected"),
    [
        ("pillow", FAMILIES),
        ("libjpeg-turbo", FAMILIES),
        ("simplejpeg", {"find", "find_middle", "find_luma"}),
        ("imagehash", {"ahash", "dhash", "phash", "whash"}),
        ("scipy", {"phash"}),
        ("PyWavelets", {"whash"}),
        ("pdqhash", {"pdq"}),
    ],
)
def test_versions_that_nobody_measured_count_for_the_methods_that_use_them(name, affected):
    found = {
        method.rstrip("0123456789")
        for method in methods.BUILT_IN
        if difference(HERE, HERE | {name: "99.0"}, [method])
    }
    assert found == affected
    assert difference(HERE, HERE | {name: "99.0"}, sorted(methods.BUILT_IN)) == (
        f"{name} 99.0 instead of {HERE[name]}"
    )


def test_versions_of_one_range_give_the_same_bits():
    for pillow in ("11.3.0", "12.1.1", "12.2.0.post1", "13.0.0"):
        assert difference(HERE, HERE | {"pillow": pillow}, ["find", "find64"]) == ""
    for pillow in ("11.2.1", "13.0.1", "13.1.0", "unknown", ""):
        words = f"pillow {pillow} instead of 13.0.0"
        assert difference(HERE, HERE | {"pillow": pillow}, ["find"]) == words


def test_versions_of_two_ranges_differ():
    for other in (("12.3.0", "13.0.0"), ("13.0.0", "12.3.0"), ("12.1.1", "12.2.0")):
        here, there = ({**HERE, "pillow": pillow} for pillow in other)
        assert difference(here, there, ["find"]) == ""
        assert difference(here, there, ["phash64"]) == f"pillow {other[1]} instead of {other[0]}"


def test_equal_versions_never_differ():
    strange = dict.fromkeys(HERE, "not a number")
    assert difference(strange, strange, [*methods.BUILT_IN, "mine"]) == ""


def test_all_differences_are_named_once():
    there = HERE | {"scipy": "0.1", "pillow": "1.0", "numpy": "1.0"}
    assert difference(HERE, there, ["phash64", "phash256", "find"]) == (
        "pillow 1.0 instead of 13.0.0, scipy 0.1 instead of 1.17.1"
    )


@pytest.mark.parametrize("methods", [None, ["mine"], ["find", "mine"]])
def test_packages_alone_count_for_a_method_of_ones_own(methods):
    assert difference(HERE, HERE | dict.fromkeys(UNCOMPARED, "other"), methods) == ""
    for name in HERE.keys() - UNCOMPARED:
        assert difference(HERE, HERE | {name: "99.0"}, methods).startswith(f"{name} 99.0")


def test_versions_that_were_not_recorded_are_not_compared():
    """Tables of version 0.1.0 lack SciPy, PyWavelets and the platform."""
    unknown = {"scipy", "PyWavelets", "platform", "libc"}
    older = {name: HERE[name] for name in HERE if name not in unknown}
    assert difference(HERE, older, [*methods.BUILT_IN, "mine"]) == ""
    assert difference(HERE, {}, ["find"]) == ""


@pytest.fixture
def pretend(monkeypatch):
    """Return a function that makes this process report other versions."""

    def change(**others):
        for module in (parts, schema):
            monkeypatch.setattr(module, "versions", lambda: {**versions(), **others})

    return change


def test_a_folder_is_refused_for_versions_that_matter_alone(tmp_path, pretend):
    image = tmp_path / "a.jpg"
    image.write_bytes(jpeg_bytes(seed=1))
    options = {"executor": "serial", "progress": False}
    for method in ("find", "phash64"):
        hash_files([image], [method], out=tmp_path / method, **options)
    pretend(numpy="1.0", numba="1.0", scipy="1.0", pdqhash="1.0", python="3.0", finhash="9.9")
    assert len(hash_files([image], ["find"], out=tmp_path / "find", **options)) == 1
    with pytest.raises(ValueError, match=r"scipy \S+ instead of 1\.0"):
        hash_files([image], ["phash64"], out=tmp_path / "phash64", **options)
    pretend(simplejpeg="99.0")
    with pytest.raises(ValueError, match=r"simplejpeg \S+ instead of 99\.0"):
        hash_files([image], ["find"], out=tmp_path / "find", **options)


def test_tables_of_two_platforms_can_be_joined_and_continued(tmp_path, pretend):
    images = [tmp_path / f"{k}.jpg" for k in range(2)]
    for k, image in enumerate(images):
        image.write_bytes(jpeg_bytes(seed=k))
    methods = ["find", "phash64"]
    options = {"executor": "serial", "progress": False}
    hash_files(images[:1], methods, out=tmp_path / "table", **options)
    first = HashTable.read(tmp_path / "table")
    pretend(platform="Darwin arm64", libc="musl 1.2")
    assert len(hash_files(images, methods, out=tmp_path / "table", **options)) == 2
    second = hash_files(images[1:], methods, **options)
    assert second.provenance["versions"]["libc"] == "musl 1.2"
    assert len(HashTable.concat([first, second])) == 2
