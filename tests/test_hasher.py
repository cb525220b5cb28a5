"""FINDHasher serves clients of the published class; its hashes are the corrected ones."""

import inspect
import io
import math
import os
import re
from pathlib import Path

import numpy as np
import pytest
from imagehash import ImageHash
from PIL import Image, UnidentifiedImageError
from scipy.spatial.distance import hamming

from finhash import FINDHasher, find_hash, images
from finhash.find import reference
from finhash.find.thumbnail import thumbnail_size
from tests.conftest import ANSWERS, VECTORS, golden_names, jpeg_bytes, noise

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "guide.md"

MEMBERS = {
    "LUMA_FROM_R_COEFF": 0.299,
    "LUMA_FROM_G_COEFF": 0.587,
    "LUMA_FROM_B_COEFF": 0.114,
    "FIND_WINDOW_SIZE_DIVISOR": 64,
    "compute_dct_matrix": [],
    "fromFile": ["filepath"],
    "fromImage": ["img"],
    "fillFloatLumaFromBufferImage": ["img", "luma"],
    "findHash256FromFloatLuma": [
        "fullBuffer1",
        "fullBuffer2",
        "numRows",
        "numCols",
        "buffer64x64",
        "buffer16x64",
        "buffer16x16",
    ],
    "computeBoxFilterWindowSize": ["dimension"],
    "boxFilter": ["input", "output", "rows", "cols", "rowWin", "colWin"],
    "decimateFloat": ["in_", "inNumRows", "inNumCols", "out"],
    "dct64To16": ["A", "T", "B"],
    "dctOutput2hash": ["dctOutput16x16"],
    "prettyHash": ["hash"],
}
"""Members of the published class: values of constants, names of arguments in order."""

CLASS_METHODS = ("computeBoxFilterWindowSize", "boxFilter", "decimateFloat", "prettyHash")


class Pure(FINDHasher):
    """Hasher that differs from its base only in that it runs the steps in pure Python."""

    @classmethod
    def decimateFloat(cls, in_, inNumRows, inNumCols, out):  # noqa: N802, N803
        super().decimateFloat(in_, inNumRows, inNumCols, out)


def small(seed: int = 0, rows: int = 20, cols: int = 30) -> Image.Image:
    return Image.fromarray(noise(rows, cols, seed))


def zeros(rows: int, cols: int) -> list[list[float]]:
    return [[0] * cols for _ in range(rows)]


@pytest.mark.parametrize("name", MEMBERS)
def test_members_have_the_published_names_arguments_and_values(name):
    member = getattr(FINDHasher(), name)
    expected = MEMBERS[name]
    if isinstance(expected, list):
        assert list(inspect.signature(member).parameters) == expected
        assert hasattr(FINDHasher, name)
        assert (getattr(member, "__self__", None) is FINDHasher) == (name in CLASS_METHODS)
    else:
        assert member == getattr(FINDHasher, name) == expected
        assert type(member) is type(expected)


def test_hashes_are_flat_arrays_of_integers():
    first, second = (FINDHasher().fromImage(small(seed)) for seed in (0, 1))
    distance = first - second
    assert 80 < distance < 180
    assert len(first.hash) == len(first) == 256
    assert first.hash.shape == (256,)
    assert first.hash.dtype == np.array([1]).dtype
    assert set(first.hash.tolist()) == {0, 1}
    assert np.abs(first.hash - second.hash).sum() == distance
    assert sum(a != b for a, b in zip(first.hash, second.hash, strict=True)) == distance
    assert np.vstack([first.hash, second.hash]).shape == (2, 256)
    assert hamming(first.hash, second.hash) * 256 == pytest.approx(distance)


def test_hashes_work_as_keys_and_equal_those_of_find_hash():
    image = small()
    flat, again, square = FINDHasher().fromImage(image), Pure().fromImage(image), find_hash(image)
    other = FINDHasher().fromImage(small(1))
    assert square.hash.shape == (16, 16)
    assert square.hash.dtype == bool
    assert flat == again == square
    assert flat != other
    assert str(flat) == str(square)
    assert flat - square == square - flat == 0
    assert {flat: 1}[again] == {flat: 1}[square] == 1
    assert len({flat, again, square, other}) == 2
    np.testing.assert_array_equal(flat.hash.reshape(16, 16).astype(bool), square.hash)


def test_pretty_hash_is_a_square_of_integers(capsys):
    image = small()
    pretty = FINDHasher.prettyHash(FINDHasher().fromImage(image))
    np.testing.assert_array_equal(pretty, find_hash(image).hash)
    np.testing.assert_array_equal(pretty, FINDHasher.prettyHash(find_hash(image)))
    assert pretty.dtype == np.array([1]).dtype
    assert capsys.readouterr().out == ""


def test_pretty_hash_of_another_length_prints_a_sentence(capsys):
    assert FINDHasher().prettyHash(ImageHash(np.zeros(64, int))) is None
    assert "256 bits" in capsys.readouterr().out


@pytest.mark.parametrize("name", golden_names())
def test_golden_hashes(name):
    expected = ANSWERS["hashes"][name]["corrected"]
    assert str(FINDHasher().fromFile(str(VECTORS / name))) == expected


@pytest.mark.parametrize(
    "name",
    [
        "scene_2.png",
        "scene_65.png",
        "flat_white_64.png",
        "landscape_512x1.png",
        "portrait_1x512.png",
        "landscape_251x250.png",
        "alpha_RGBA_250.png",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("portrait_200x400.png", "palette_P_700.png", "large_1200x800.png")
        ),
    ],
)
def test_pure_python_gives_the_hashes_of_the_compiled_code(name):
    path = str(VECTORS / name)
    found = Pure().fromFile(path)
    assert str(found) == ANSWERS["hashes"][name]["corrected"]
    assert found.hash.shape == (256,)
    assert found.hash.dtype == FINDHasher().fromFile(path).hash.dtype


def test_file_is_a_path_or_an_open_file(tmp_path):
    path = tmp_path / "image.png"
    small().save(path)
    expected = find_hash(small())
    for client in (FINDHasher(), Pure()):
        for source in (str(path), path, os.fsencode(path), io.BytesIO(path.read_bytes())):
            assert client.fromFile(source) == expected
        with path.open("rb") as file:
            file.seek(9)
            assert client.fromFile(filepath=file) == expected
            assert not file.closed
            assert client.fromFile(file) == expected


def broken_png() -> bytes:
    file = io.BytesIO()
    small().save(file, "PNG")
    return file.getvalue()[:500]


@pytest.mark.parametrize(
    "content",
    [b"", b"this is not an image", jpeg_bytes(200, 200)[:3000], broken_png()],
    ids=["empty", "text", "truncated JPEG", "truncated PNG"],
)
@pytest.mark.parametrize("client", [FINDHasher(), Pure()])
def test_loops_that_skip_files_with_os_errors_go_on(tmp_path, content, client):
    (tmp_path / "broken.jpg").write_bytes(content)
    (tmp_path / "good.jpg").write_bytes(jpeg_bytes())
    (tmp_path / "folder.jpg").mkdir()
    found = []
    for name in ("broken.jpg", "missing.jpg", "folder.jpg", "good.jpg"):
        try:
            found.append(str(client.fromFile(str(tmp_path / name))))
        except OSError:
            continue
    assert found == [str(find_hash(jpeg_bytes()))]


@pytest.mark.parametrize("client", [FINDHasher(), Pure()])
def test_content_in_an_unknown_format_raises_the_error_of_pillow(client):
    with pytest.raises(UnidentifiedImageError):
        client.fromFile(io.BytesIO(b"this is not an image"))


@pytest.mark.parametrize("client", [FINDHasher(), Pure()])
def test_images_are_left_as_they_are(client):
    image = Image.fromarray(noise(8, 520)).convert("L")
    before = image.copy()
    client.fromImage(image)
    assert image == before
    with pytest.raises(images.EmptyImageError):
        client.fromImage(Image.new("RGB", (0, 5)))


def test_dct_matrix_is_made_on_construction():
    matrix = FINDHasher().DCT_matrix
    assert [len(row) for row in matrix] == [64] * 16
    assert matrix[3][5] == math.cos((math.pi / 2 / 64) * 4 * 11)
    matrix[3][5] = 0.0
    assert FINDHasher().DCT_matrix[3][5] != 0.0


def test_luma_fills_the_buffer():
    luma = [-1.0] * 7
    FINDHasher().fillFloatLumaFromBufferImage(small(0, 2, 3), luma)
    r, g, b = noise(2, 3)[1, 0].tolist()
    assert luma[3] == 0.299 * r + 0.587 * g + 0.114 * b
    assert min(luma[:6]) >= 0
    assert luma[6] == -1.0  # a longer buffer keeps its end


def test_box_filter_takes_its_windows_by_position_and_by_name():
    rows, cols = 4, 6
    luma = noise(rows, cols)[:, :, 0].astype(float)
    output = [0] * (rows * cols)
    assert FINDHasher.boxFilter(luma.ravel().tolist(), output, rows, cols, 1, 2) is None
    # A window of 1 is widened to 2 rows, and one of 2 to 4 columns.
    expected = [
        luma[max(0, i - 1) : i + 1, max(0, j - 2) : j + 2].mean()
        for i in range(rows)
        for j in range(cols)
    ]
    assert output == pytest.approx(expected)
    named = [0] * (rows * cols)
    FINDHasher().boxFilter(
        input=luma.ravel().tolist(), output=named, rows=rows, cols=cols, rowWin=1, colWin=2
    )
    assert named == output


@pytest.mark.parametrize(("dimension", "window"), [(1, 1), (64, 1), (65, 2), (250, 4), (512, 8)])
def test_windows_are_rounded_up(dimension, window):
    assert FINDHasher.computeBoxFilterWindowSize(dimension) == window


def test_decimation_keeps_64_samples_a_side():
    rows, cols = 100, 128
    out = zeros(64, 64)
    kept = out[5]
    FINDHasher.decimateFloat(list(range(rows * cols)), rows, cols, out)
    assert out[5][9] == int(5.5 * rows / 64) * cols + int(9.5 * cols / 64)
    assert out[5] is kept


def test_dct_fills_its_last_buffer():
    client, samples, filled = FINDHasher(), noise(64, 64)[:, :, 0].astype(float), zeros(16, 16)
    client.dct64To16(samples.tolist(), zeros(16, 64), filled)
    matrix = np.array(client.DCT_matrix)
    np.testing.assert_allclose(filled, matrix @ samples @ matrix.T, atol=1e-7)


def test_bits_are_those_above_the_lower_median_in_reverse():
    values = np.random.default_rng(0).permutation(256).reshape(16, 16)
    found = FINDHasher().dctOutput2hash(values.tolist())
    np.testing.assert_array_equal(found.hash, (values.ravel() > 127)[::-1])


def test_steps_called_by_a_client_give_the_hash():
    image = small(0, 70, 40)
    client = FINDHasher()
    luma, blurred = [0] * 2800, [0] * 2800
    samples, coefficients = zeros(64, 64), zeros(16, 16)
    client.fillFloatLumaFromBufferImage(image, luma)
    found = client.findHash256FromFloatLuma(
        luma, blurred, 70, 40, samples, zeros(16, 64), coefficients
    )
    assert found == find_hash(image)
    assert found == client.dctOutput2hash(coefficients)
    assert samples[63][63] in blurred


def test_buffers_may_be_arrays():
    image = small()
    client = FINDHasher()
    luma, blurred = np.zeros(600), np.zeros(600)
    client.fillFloatLumaFromBufferImage(image, luma)
    found = client.findHash256FromFloatLuma(
        luma, blurred, 20, 30, np.zeros((64, 64)), np.zeros((16, 64)), np.zeros((16, 16))
    )
    assert found == find_hash(image)


class Red(FINDHasher):
    LUMA_FROM_R_COEFF, LUMA_FROM_G_COEFF, LUMA_FROM_B_COEFF = 1.0, 0.0, 0.0


class Coarse(FINDHasher):
    FIND_WINDOW_SIZE_DIVISOR = 5


class Mirrored(FINDHasher):
    def fillFloatLumaFromBufferImage(self, img, luma):  # noqa: N802
        super().fillFloatLumaFromBufferImage(img.transpose(Image.Transpose.FLIP_LEFT_RIGHT), luma)


class Unfiltered(FINDHasher):
    @classmethod
    def boxFilter(cls, input, output, rows, cols, rowWin, colWin):  # noqa: N802, N803
        output[:] = input


class Wide(FINDHasher):
    @classmethod
    def computeBoxFilterWindowSize(cls, dimension):  # noqa: N802
        return 6


class Corner(FINDHasher):
    @classmethod
    def decimateFloat(cls, in_, inNumRows, inNumCols, out):  # noqa: N802, N803
        for row in out:
            row[:] = in_[:64]


class Rising(FINDHasher):
    def dct64To16(self, A, T, B):  # noqa: N802, N803
        for i, row in enumerate(B):
            row[:] = [16 * i + j for j in range(16)]


class Inverted(FINDHasher):
    def dctOutput2hash(self, dctOutput16x16):  # noqa: N802, N803
        return ImageHash(1 - super().dctOutput2hash(dctOutput16x16).hash)


class Reversed(FINDHasher):
    def compute_dct_matrix(self):
        return [row[::-1] for row in reversed(super().compute_dct_matrix())]


class Whole(FINDHasher):
    def findHash256FromFloatLuma(self, fullBuffer1, *others):  # noqa: N802, N803
        return ImageHash(np.array([int(value > 99) for value in fullBuffer1[:256]]))


@pytest.mark.parametrize(
    "mine",
    [Red, Coarse, Mirrored, Unfiltered, Wide, Corner, Rising, Inverted, Reversed, Whole],
    ids=lambda mine: mine.__name__,
)
def test_what_a_subclass_overrides_takes_effect(mine):
    image, file = small(), io.BytesIO()
    image.save(file, "PNG")
    found = mine().fromImage(image)
    assert found != FINDHasher().fromImage(image)
    assert mine().fromFile(file) == found


def test_overridden_constants_and_steps_give_the_hash_that_they_define():
    image = small()
    red, _, _ = image.split()
    assert Red().fromImage(image) == FINDHasher().fromImage(red)
    mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert Mirrored().fromImage(image) == FINDHasher().fromImage(mirrored)
    assert Inverted().fromImage(image) - FINDHasher().fromImage(image) == 256
    luma = reference.fill_luma(image)
    blurred = reference.box_filter(luma, 20, 30, windows=(4, 6))
    bits = reference.hash_bits(reference.dct_64_to_16(reference.decimate(blurred, 20, 30)))
    np.testing.assert_array_equal(Coarse().fromImage(image).hash, np.ravel(bits))


def test_steps_run_in_the_published_order():
    called = []

    class Logged(FINDHasher):
        def __getattribute__(self, name):
            if name in MEMBERS and isinstance(MEMBERS[name], list):
                called.append(name)
            return super().__getattribute__(name)

        def dctOutput2hash(self, dctOutput16x16):  # noqa: N802, N803
            return super().dctOutput2hash(dctOutput16x16)

    Logged().fromImage(small())
    assert called == [
        "compute_dct_matrix",
        "fromImage",
        "fillFloatLumaFromBufferImage",
        "findHash256FromFloatLuma",
        "computeBoxFilterWindowSize",
        "computeBoxFilterWindowSize",
        "boxFilter",
        "decimateFloat",
        "dct64To16",
        "dctOutput2hash",
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda matrix: matrix[0].__setitem__(0, 9.0),
        lambda matrix: matrix.reverse(),
        lambda matrix: matrix.__setitem__(2, [0.0] * 64),
    ],
)
def test_changes_of_the_dct_matrix_take_effect(change):
    client, image = FINDHasher(), small()
    change(client.DCT_matrix)
    assert client.fromImage(image) != FINDHasher().fromImage(image)


def test_dct_matrix_may_be_an_array():
    client, image = FINDHasher(), small()
    client.DCT_matrix = np.array(client.DCT_matrix)
    assert client.fromImage(image) == FINDHasher().fromImage(image)
    client.DCT_matrix[0, 0] = 9
    assert client.fromImage(image) != FINDHasher().fromImage(image)


def test_assignments_to_an_object_take_effect():
    image = small()
    client = FINDHasher()
    client.LUMA_FROM_R_COEFF, client.LUMA_FROM_G_COEFF, client.LUMA_FROM_B_COEFF = 1.0, 0.0, 0.0
    assert client.fromImage(image) == Red().fromImage(image)
    client = FINDHasher()
    client.dctOutput2hash = Inverted().dctOutput2hash
    assert client.fromImage(image) == Inverted().fromImage(image)


def test_assignments_to_the_class_take_effect_and_can_be_undone(monkeypatch):
    image, client = small(), FINDHasher()
    before = client.fromImage(image)
    with monkeypatch.context() as patch:
        patch.setattr(FINDHasher, "FIND_WINDOW_SIZE_DIVISOR", 5)
        assert client.fromImage(image) == Coarse().fromImage(image) != before
    with monkeypatch.context() as patch:
        patch.setattr(FINDHasher, "boxFilter", vars(Unfiltered)["boxFilter"])
        assert client.fromImage(image) == Unfiltered().fromImage(image) != before
    assert client.fromImage(image) == before


def test_own_from_image_serves_files_too(tmp_path):
    path = tmp_path / "image.png"
    small().save(path)
    seen = []

    class Named(FINDHasher):
        def fromImage(self, img):  # noqa: N802
            seen.append(Path(img.filename).name)
            return super().fromImage(img.convert("L"))

    assert Named().fromFile(str(path)) == find_hash(small().convert("L"))
    assert seen == ["image.png"]


@pytest.fixture
def no_pure_python(monkeypatch):
    """Make every step of the reference fail."""
    for step in ("fill_luma", "box_filter", "decimate", "dct_64_to_16", "hash_bits"):
        monkeypatch.setattr(reference, step, None)


@pytest.mark.usefixtures("no_pure_python")
def test_compiled_code_serves_the_class_and_subclasses_that_change_no_step(tmp_path):
    path = tmp_path / "image.png"
    small().save(path)

    class Extended(FINDHasher):
        limit = 60

        def __init__(self):
            super().__init__()
            self.seen = 0

        def fromFile(self, filepath):  # noqa: N802
            self.seen += 1
            return super().fromFile(filepath)

        def near(self, first, second):
            return self.fromFile(first) - self.fromFile(second) <= self.limit

    expected = find_hash(small())
    assert FINDHasher().fromFile(path) == FINDHasher().fromImage(small()) == expected
    client = Extended()
    assert client.near(path, str(path))
    assert client.seen == 2
    with pytest.raises(TypeError):
        Pure().fromImage(small())


def recipe() -> str:
    """Return the code of the guide that replaces stored hashes of the published program."""
    section = GUIDE.read_text().split("## Moving from FIN's program")[1].split("\n## ")[0]
    return re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]


def migrate(names: list[str]) -> tuple[dict, dict]:
    """Run the guide's code on hashes that the published program stored; return both states."""
    answers = {str(VECTORS / name): ANSWERS["hashes"][name] for name in names}
    stored = {p: a["published"] for p, a in answers.items() if a["published"] != "IndexError"}
    faulty = str(VECTORS / names[0])
    stored[faulty] = "0" * 64  # as if the file had been replaced since
    state = {"stored": dict(stored), "paths": list(answers)}
    exec(compile(recipe(), GUIDE.name, "exec"), state)
    assert state["stored"] == {path: answer["corrected"] for path, answer in answers.items()}
    assert state["other"] == [faulty]
    return stored, state


def test_recipe_of_the_guide_replaces_hashes_of_the_published_program():
    names = ["scene_64.png", "scene_17.png", "landscape_251x250.png", "landscape_512x1.png"]
    _, state = migrate([*names, "portrait_1x512.png", "portrait_200x400.png"])
    assert {Path(path).name for path in state["missing"]} == {
        "portrait_1x512.png",
        "portrait_200x400.png",
    }
    assert set(names[:1]) < {Path(path).name for path in state["changed"]} <= set(names)


@pytest.mark.slow
def test_only_images_that_are_not_square_after_shrinking_have_other_hashes():
    stored, state = migrate(golden_names())
    for path in {*state["changed"], *state["missing"]} - set(state["other"]):
        with Image.open(path) as image:
            cols, rows = thumbnail_size(*image.size)
        assert cols > rows if path in stored else cols < rows
