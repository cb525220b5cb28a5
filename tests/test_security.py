"""Attacks that SECURITY.md speaks of: hostile names, files, folders, tables and archives."""

import ast
import csv
import io
import json
import os
import pickle
import pty
import re
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import numba.core.caching
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from finhash import Gallery, HashTable
from finhash.__main__ import main
from finhash.accuracy import labels
from finhash.accuracy.verdict_file import read_rows
from finhash.files import output, whole_file
from finhash.jobs.executors import open_workers
from finhash.pages.review import Pair, write_page
from finhash.sheet import contact_sheet
from tests.conftest import jpeg_bytes, noise

ROOT = Path(__file__).resolve().parents[1]

RUNNING_CODE = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.startfile"),
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "cloudpickle.load", "cloudpickle.loads"),
    *("marshal.load", "marshal.loads", "shelve.open", "joblib.load", "torch.load"),
    *("yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load"),
    *("pd.read_pickle", "pandas.read_pickle", "np.lib.format.read_array"),
    *("shutil.unpack_archive", "tempfile.mktemp", "pkgutil.resolve_name"),
}
"""Functions that run code from data, or write where data say."""

WRITING_ANYWHERE = {"extractall", "extract"}
"""Methods of archives that write where the archive says."""

ALLOWED = {
    ("finhash/jobs/executors.py", "pickle.loads"): "tasks that the calling process has pickled",
    ("finhash/methods.py", "pkgutil.resolve_name"): "a function that the user names as --method",
}
"""Places where such a function is called, each with the reason why its argument is trusted."""

COMMANDS_TO_TERMINALS = "\x1b[2J\x1b]0;title\x07\x9b31m\u202e"
"""Text that clears a terminal, names its window, turns text red, and turns its direction."""


def run(*words: object) -> Result:
    return CliRunner().invoke(main, list(map(str, words)))


@cache
def parsed() -> dict[str, ast.Module]:
    """Return the modules of the project by their paths."""
    modules = [*(ROOT / "finhash").rglob("*.py"), *(ROOT / "examples").rglob("*.py")]
    return {
        module.relative_to(ROOT).as_posix(): ast.parse(module.read_text("utf-8"))
        for module in sorted(modules)
    }


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield all calls, each with the text of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def drawn(seed: int) -> Image.Image:
    """Return an image of soft patches; images of different seeds are far apart."""
    return Image.fromarray(noise(7, 9, seed)).resize((120, 90), Image.Resampling.BICUBIC)


def fill(folder: Path, names: list[str]) -> Path:
    """Write two copies of one image per name, and a file that is no image."""
    folder.mkdir()
    for seed, name in enumerate(names):
        for copy in "12":
            drawn(seed).save(folder / f"{name} {copy}", "PNG")
    (folder / f"{names[0]}.jpg").write_bytes(b"no image")
    return folder


def test_no_function_runs_code_from_data():
    found = {}
    for name, tree in parsed().items():
        for called, node in calls(tree):
            if called in RUNNING_CODE or called.rpartition(".")[2] in WRITING_ANYWHERE:
                found[name, called] = node.lineno
            for option in node.keywords:
                if option.arg in ("shell", "allow_pickle"):
                    found[name, f"{called} with {option.arg}"] = node.lineno
        for node in ast.walk(tree):  # imported under another name, a call would not be seen
            if isinstance(node, ast.ImportFrom):
                for one in node.names:
                    if f"{node.module}.{one.name}" in RUNNING_CODE:
                        found[name, f"{node.module}.{one.name}"] = node.lineno
    assert found.keys() == ALLOWED.keys(), found


def test_sql_is_never_made_of_data():
    statements = []
    for name, tree in parsed().items():
        for called, node in calls(tree):
            if called.rpartition(".")[2] in ("execute", "executemany", "executescript"):
                statements += [(name, node.lineno, type(node.args[0]))]
    assert statements
    made = [one for one in statements if one[2] not in (ast.Constant, ast.Name)]
    assert not made


def test_ids_are_no_sql(tmp_path):
    hostile = "'); DROP TABLE changes; --"
    gallery = Gallery.load(tmp_path / "gallery", readonly=False, create=True)
    gallery.add(["0f" * 32, "f0" * 32], ids=[hostile, '"; DELETE FROM facts; --'])
    again = Gallery.load(tmp_path / "gallery")
    assert again.search("0f" * 32, radius=0)[0].id == hostile
    gallery.remove(hostile)
    again.refresh()
    assert len(again) == 1


@contextmanager
def terminal(monkeypatch) -> Iterator[io.BytesIO]:
    """Make standard output a terminal; the yielded buffer holds what it was sent, at the end."""
    sent = io.BytesIO()
    leader, follower = pty.openpty()
    with os.fdopen(leader, "rb", buffering=0) as reader:
        with os.fdopen(follower, "w", encoding="utf-8") as screen, monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", screen)
            yield sent
        with suppress(OSError):  # Linux ends the output of a closed terminal with this error
            while data := reader.read(2**16):
                sent.write(data)


def controls(text: str) -> set[str]:
    """Return the characters that a terminal obeys, apart from ends of lines."""
    return {sign for sign in text if not sign.isprintable() and sign not in "\r\n"}


def test_a_terminal_gets_escapes_and_a_pipe_the_names(monkeypatch, capsys):
    with terminal(monkeypatch) as sent, output(None) as file:
        file.write(f"a,{COMMANDS_TO_TERMINALS}\n")
        file.flush()
        file.buffer.write(COMMANDS_TO_TERMINALS.encode()[:-1])
        file.buffer.write(COMMANDS_TO_TERMINALS.encode()[-1:] + "é😀\n".encode())
    escaped = r"\x1b[2J\x1b]0;title\x07\x9b31m\u202e"
    assert sent.getvalue().decode() == f"a,{escaped}\r\n{escaped}é😀\r\n"
    with output(None) as file:
        file.write(COMMANDS_TO_TERMINALS)
    assert capsys.readouterr().out == COMMANDS_TO_TERMINALS


@pytest.fixture
def names(tmp_path, monkeypatch) -> Path:
    """Work in a folder with ``photos``, whose names are commands to terminals, and a table."""
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "photos", [COMMANDS_TO_TERMINALS, "plain"])
    assert run("hash", "photos", "-o", "hashes", "--executor", "serial").exit_code == 1
    (tmp_path / "labels.csv").write_text(
        "path,label\n"
        + "".join(f'"{path}",{path.name[:-2]}\n' for path in (tmp_path / "photos").iterdir())
    )
    return tmp_path


HOSTILE_PAGE = f"{COMMANDS_TO_TERMINALS}.html"

WORDS = {
    "hash": ["hash", "photos"],
    "hash --out": ["hash", "photos", "-o", "hashes", "--executor", "serial"],
    "match": ["match", "photos", "--in", "hashes"],
    "cluster": ["cluster", "hashes", "--html", HOSTILE_PAGE, "-o", "-"],
    "duplicates": ["duplicates", "hashes", "-o", "-"],
    "duplicates --move-to": ["duplicates", "hashes", "--move-to", "moved", "--yes"],
    "export": ["export", "hashes"],
    "evaluate": [
        *("evaluate", "photos", "--labels", "labels.csv", "--method", "dhash64"),
        *("--review", HOSTILE_PAGE, "--workers", "1"),
    ],
    "no table": ["export", f"photos/{COMMANDS_TO_TERMINALS} 1"],
    "no column": ["cluster", "hashes", "--method", COMMANDS_TO_TERMINALS],
    "no image": ["hash", f"photos/{COMMANDS_TO_TERMINALS}.jpg"],
}
"""Commands that print names of files."""


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_commands_escape_names_for_terminals(names, monkeypatch, words):
    with terminal(monkeypatch) as sent, monkeypatch.context() as patch:
        errors = io.StringIO()
        patch.setattr(sys, "stderr", errors)
        with pytest.raises(SystemExit):
            main(words)
    assert not controls(errors.getvalue())
    assert not controls(sent.getvalue().decode())
    assert r"\x1b[2J" in errors.getvalue() + sent.getvalue().decode()


def test_tables_are_shown_without_commands_to_terminals():
    hashes = np.zeros((1, 8), np.uint8)
    table = HashTable.from_hashes([COMMANDS_TO_TERMINALS], {f"x{COMMANDS_TO_TERMINALS}": hashes})
    assert not controls(repr(table))


def test_files_hold_the_names_as_they_are(names):
    """Programs read CSV, JSON and Parquet, so no name is changed there."""
    path = f"{names}/photos/{COMMANDS_TO_TERMINALS} 1"
    for words in (["match", path, "--in", "hashes"], ["cluster", "hashes"], ["export", "hashes"]):
        assert path in run(*words).stdout
    line = json.loads(run("cluster", "hashes", "--format", "json").stdout.splitlines()[0])
    assert path in line["paths"] or path.replace(COMMANDS_TO_TERMINALS, "plain") in line["paths"]
    assert path in HashTable.read("hashes").paths


def test_formulas_are_escaped_by_export_alone(tmp_path, monkeypatch):
    """Other commands read what match and cluster write, so a path must not change there."""
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "photos", ["=1+1"])
    table = HashTable.from_hashes(
        ["=cmd|' /C calc'!A0", "@b"], {"find": np.zeros((2, 32), np.uint8)}
    )
    table.write("t.parquet")
    for words in (["cluster", "t.parquet"], ["match", "00" * 32, "--in", "t.parquet"]):
        assert "=cmd|' /C calc'!A0," in run(*words).stdout
    rows = list(csv.DictReader(io.StringIO(run("export", "t.parquet").stdout)))
    assert [row["path"] for row in rows] == table.paths
    escaped = run("export", "t.parquet", "--escape-formulas").stdout
    rows = list(csv.DictReader(io.StringIO(escaped)))
    assert [row["path"] for row in rows] == [f"'{path}" for path in table.paths]


@pytest.mark.slow
def test_the_current_folder_is_no_place_for_modules(tmp_path):
    """A folder of images of strangers may hold files named like modules of Python."""
    fill(tmp_path / "photos", ["a"])
    ran = tmp_path / "ran"
    for module in ("pickle", "socket", "random", "numpy", "PIL", "pyarrow", "tqdm"):
        code = f"open({str(ran)!r}, 'a').write({module!r})\nraise ImportError\n"
        (tmp_path / "photos" / f"{module}.py").write_text(code)
    program = tmp_path / "program.py"  # as the installed command, it is in another folder
    program.write_text(
        "from finhash.__main__ import main\n"
        "if __name__ == '__main__':\n"
        "    main(prog_name='finhash')\n"
    )
    words = ["hash", ".", "-o", tmp_path / "hashes", "--executor", "processes", "--workers", "1"]
    done = subprocess.run(
        [sys.executable, program, *words],
        cwd=tmp_path / "photos",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert not ran.exists(), ran.read_text()
    assert done.returncode == 1, done.stderr
    assert len(HashTable.read(tmp_path / "hashes").without_errors()) == 2


def test_a_document_named_like_an_image_starts_no_program(tmp_path, monkeypatch):
    """Pillow would run Ghostscript to decode PostScript."""
    ran = tmp_path / "ran"
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "gs").write_text(f"#!/bin/sh\ntouch '{ran}'\n")
    (programs / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    photos = tmp_path / "photos"
    photos.mkdir()
    head = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 60 60\n%%EndComments\nshowpage\n%%EOF\n"
    for name in ("a.jpg", "b.eps"):
        (photos / name).write_bytes(head)
    shown = run("hash", photos, photos / "b.eps")
    assert not ran.exists()
    assert shown.exit_code == 1
    assert shown.stderr.count("NotAnImageError") == 2

    # A table that somebody else made can name such a file.
    paths = [str(photos / "a.jpg"), str(photos / "b.eps")]
    table = HashTable.from_hashes(paths, {"find": np.zeros((2, 32), np.uint8)})
    table.write(tmp_path / "table.parquet")
    page = tmp_path / "page.html"
    assert run("cluster", tmp_path / "table.parquet", "--html", page).exit_code == 0
    assert page.read_text().count("not in an image format that Pillow knows") == 2
    pair = Pair("a", "b", 1, paths[:1], paths[1:], first_size=1, second_size=1)
    write_page(page, [pair], title="evaluate --review")
    assert page.read_text().count("not in an image format that Pillow knows") == 2
    contact_sheet([paths])
    assert not ran.exists()


def test_temporary_files_can_be_read_by_no_more_people_than_the_file(tmp_path):
    file = tmp_path / "private.csv"
    for mode in (0o600, 0o640, 0o400):
        file.unlink(missing_ok=True)
        file.touch(mode)
        file.chmod(mode)
        with whole_file(file) as partial:
            beside = stat.S_IMODE(partial.stat().st_mode)
            assert not beside & ~(mode | 0o600), oct(beside)
            partial.write_text("new")
        assert (stat.S_IMODE(file.stat().st_mode), file.read_text()) == (mode, "new")


def test_a_small_image_can_take_much_memory_unless_pixels_are_limited(tmp_path):
    bomb = tmp_path / "bomb.png"
    Image.new("RGBA", (4000, 4000)).save(bomb)
    assert bomb.stat().st_size < 4 * 4000**2 / 500
    assert run("hash", bomb).exit_code == 0
    refused = run("hash", bomb, "--max-pixels", 4000**2 - 1)
    assert refused.exit_code == 1
    assert "ImageTooLargeError: 4000 x 4000 pixels are more than" in refused.stderr


def of_metadata(entry: str | bytes, path: Path) -> Path:
    """Write a table whose metadata has this entry."""
    hashes = pa.array([bytes(32)], pa.binary(32))
    table = pa.table({"path": ["a.jpg"], "find": hashes, "error": [""]})
    pq.write_table(table.replace_schema_metadata({b"finhash": entry}), path)
    return path


@pytest.mark.parametrize(
    "entry",
    [
        *("", "hello", "3", "null", "[1]", '"finhash"', b"\xff\xfe\x00"),
        *("[" * 100_000, '{"a":' * 100_000, '{"format": ' + "9" * 5000 + "}"),
        *('{"format": 2}', '{"format": "1"}', '{"format": [1]}', '{"format": 1e400}'),
        *('{"preparation": 3}', '{"preparation": {"x": 1}}', '{"preparation": {"exif": []}}'),
        *('{"versions": 3}', '{"versions": {"pillow": [1]}}', '{"versions": [["pillow", "1"]]}'),
    ],
    ids=lambda entry: str(entry)[:30],
)
def test_hostile_metadata_are_an_error_in_one_sentence(tmp_path, entry):
    path = of_metadata(entry, tmp_path / "part-000001.parquet")
    for table in (path, tmp_path):
        with pytest.raises(ValueError, match="part-000001"):
            HashTable.read(table)
        refused = run("cluster", table)
        assert (refused.exit_code, refused.stdout) == (2, "")


def test_mutated_tables_are_errors_of_known_types(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "t.parquet"
    hashes = rng.integers(0, 256, (50, 32), dtype=np.uint8)
    HashTable.from_hashes([f"{k}.jpg" for k in range(50)], {"find": hashes}).write(path)
    original = path.read_bytes()
    outcomes = set()
    for _ in range(200):
        data = bytearray(original)
        for _ in range(3):
            data[rng.integers(len(data))] = rng.integers(256)
        path.write_bytes(data)
        try:
            HashTable.read(path)
        except (OSError, ValueError) as error:
            outcomes.add(type(error))
        else:
            outcomes.add(HashTable)
    assert len(outcomes) >= 3


def test_a_small_table_can_take_much_memory(tmp_path):
    rows = 10_000
    hashes = pa.array([bytes(32)] * rows, pa.binary(32))
    table = HashTable(pa.table({"path": ["x" * 1000] * rows, "find": hashes}))
    table.write(tmp_path / "t.parquet")
    file = (tmp_path / "t.parquet").stat().st_size
    assert HashTable.read(tmp_path / "t.parquet").arrow.nbytes > 500 * file


def test_columns_of_a_table_load_no_pickles(tmp_path, unpickled):
    """Older versions of Arrow unpickled extension types that a file names."""
    kind = {b"ARROW:extension:name": b"arrow.py_extension_type"}
    kind[b"ARROW:extension:metadata"] = unpickled.payload
    field = pa.field("path", pa.string(), metadata=kind)
    schema = pa.schema([field, pa.field("find", pa.binary(32))])
    table = pa.table([["a.jpg"], pa.array([bytes(32)], pa.binary(32))], schema=schema)
    pq.write_table(table, tmp_path / "t.parquet")
    HashTable.read(tmp_path / "t.parquet")
    assert not unpickled.file.exists()


class _Touching:
    """An object whose pickle creates a file when it is loaded."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.payload = pickle.dumps(self)

    def __reduce__(self) -> tuple:
        return open, (str(self.file), "w")


@pytest.fixture
def unpickled(tmp_path) -> _Touching:
    """Return an object whose attribute ``file`` appears if its ``payload`` is unpickled."""
    return _Touching(tmp_path / "unpickled")


def test_a_gallery_loads_no_pickles(tmp_path, unpickled):
    Gallery(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / "gallery")
    arrays = list((tmp_path / "gallery" / "segments").rglob("*.npy"))
    assert arrays
    for array in arrays:
        before = array.read_bytes()
        np.save(array, np.array([unpickled], object), allow_pickle=True)
        with pytest.raises(ValueError, match="object"):
            Gallery.load(tmp_path / "gallery")
        array.write_bytes(unpickled.payload)
        with pytest.raises(ValueError, match=r"pickle|npy|array"):
            Gallery.load(tmp_path / "gallery")
        array.write_bytes(before)
    assert len(Gallery.load(tmp_path / "gallery")) == 8
    assert not unpickled.file.exists()


def test_whoever_writes_compiled_code_runs_code(tmp_path, unpickled):
    """Numba's files are pickles, so SECURITY.md says who must not write them."""
    cache = numba.core.caching.IndexDataCacheFile(str(tmp_path), "kernel", "stamp")
    (tmp_path / "kernel.nbi").write_bytes(unpickled.payload)
    cache._load_index()
    assert unpickled.file.exists()


def test_a_log_moves_any_file(tmp_path):
    """A log names files, so SECURITY.md says to undo only logs of one's own."""
    source, target = tmp_path / "a.txt", tmp_path / "elsewhere" / "b.txt"
    source.write_text("text")
    status = source.stat()
    state = {"bytes": 4, "modified": status.st_mtime_ns, "mode": 0o644}
    step = {"step": "move", "old": str(target), "new": str(source), "state": state, "link": None}
    head = {"log": "finhash duplicates", "format": 1, "token": "00000000"}
    log = tmp_path / "log.jsonl"
    log.write_text(f"{json.dumps(head)}\n{json.dumps(step)}\n")
    assert run("undo", log).exit_code == 0
    assert target.read_text() == "text"


@pytest.mark.parametrize("read", [read_rows, lambda path: list(labels.read(path, ["a.jpg"]))])
@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00",
        b"first,second,verdict\n" + b"x" * 200_000,
        b"path,label\n\0\0",
        b"",
        b"[" * 9,
    ],
    ids=["encoding", "long", "null", "empty", "brackets"],
)
def test_hostile_lists_are_an_error_in_one_sentence(tmp_path, read, content):
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"list\.csv"):
        read(tmp_path / "list.csv")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"path,family,size\n" + b"x" * 200_000])
def test_a_hostile_list_of_families_is_wrong_usage(tmp_path, content):
    table = HashTable.from_hashes(["a.jpg"], {"find": np.zeros((1, 32), np.uint8)})
    table.write(tmp_path / "t.parquet")
    (tmp_path / "list.csv").write_bytes(content)
    refused = run("cluster", tmp_path / "t.parquet", "--previous", tmp_path / "list.csv")
    assert refused.exit_code == 2
    assert "cannot be read as CSV" in " ".join(refused.stderr.split())


@pytest.mark.slow
def test_a_local_cluster_listens_on_this_machine_only():
    psutil = pytest.importorskip("psutil")
    with open_workers("dask", 2) as workers:
        workers.submit(pow, 2, 10).result()
        here = psutil.Process()
        sockets = [
            connection.laddr.ip
            for process in (here, *here.children(recursive=True))
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
    assert len(sockets) >= 3  # the scheduler and two workers
    assert set(sockets) == {"127.0.0.1"}


@pytest.fixture
def own_zip(tmp_path, monkeypatch):
    """Return a function that loads the images of a zip with these members, by their names."""
    datasets = pytest.importorskip("finhash.study.data.datasets")
    monkeypatch.setenv("FINHASH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FINHASH_DAS_IMAGES", str(tmp_path / "images.zip"))

    def load(members: dict[str | zipfile.ZipInfo, bytes]) -> list[Path]:
        with zipfile.ZipFile(tmp_path / "images.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return datasets.load(progress=False).paths

    return load


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def test_a_zip_writes_in_its_folder_only(tmp_path, own_zip):
    link = zipfile.ZipInfo("link/0004_1.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    found = own_zip(
        {
            "../../0001_1.jpg": jpeg_bytes(seed=1),
            str(tmp_path / "0002_1.jpg"): jpeg_bytes(seed=2),
            "..\\0003_1.jpg": jpeg_bytes(seed=3),
            link: b"/etc/passwd",
            "../verdicts.csv": b"first,second,verdict\n",
            "/dev/null": b"x",
            "../.ssh/authorized_keys": b"x",
            "NUL": b"x",
        }
    )
    assert [path.name for path in found] == ["0001_1.jpg", "0002_1.jpg", "0004_1.jpg"]
    assert not any(path.is_symlink() for path in found)
    folder = found[0].parent.relative_to(tmp_path)
    names = ("0001_1.jpg", "0002_1.jpg", "0004_1.jpg", "verdicts.csv")
    assert files_in(tmp_path) == {"images.zip", *(str(folder / name) for name in names)}


def test_a_zip_has_no_names_that_differ_in_case_alone(own_zip):
    with pytest.raises(ValueError, match="two different files named"):
        own_zip({"0001_1.jpg": jpeg_bytes(seed=1), "0001_1.JPG": jpeg_bytes(seed=2)})


def test_a_zip_that_claims_too_much_is_refused(tmp_path, own_zip, monkeypatch):
    datasets = pytest.importorskip("finhash.study.data.datasets")
    monkeypatch.setattr(datasets, "LARGEST", 2**20)
    bomb = bytes(2**20)
    with pytest.raises(ValueError, match=r"0001_1\.jpg, which has 1,048,577 bytes unpacked"):
        own_zip({"0001_1.jpg": bomb + b"\0"})
    used = datasets.shutil.disk_usage(tmp_path)._replace(free=2**21)
    monkeypatch.setattr(datasets.shutil, "disk_usage", lambda _: used)
    with pytest.raises(ValueError, match=r"take 3,145,728 bytes unpacked, and .* 2,097,152 bytes"):
        own_zip({f"0001_{number}.jpg": bomb for number in range(3)})
    # A member never gives more bytes than it claims.
    data = (tmp_path / "images.zip").read_bytes()
    lying = data.replace((2**20).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    (tmp_path / "images.zip").write_bytes(lying)
    with pytest.raises(ValueError, match="cannot be unpacked"):
        datasets.load(progress=False)


def test_a_damaged_zip_is_an_error_in_one_sentence(tmp_path, own_zip):
    datasets = pytest.importorskip("finhash.study.data.datasets")
    own_zip({"0001_1.jpg": jpeg_bytes()})
    data = bytearray((tmp_path / "images.zip").read_bytes())
    data[60:90] = bytes(30)
    (tmp_path / "images.zip").write_bytes(data)
    with pytest.raises(ValueError, match="cannot be unpacked"):
        datasets.load(progress=False)


def test_security_md_names_tests_that_are_there():
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    own = Path(__file__).read_text("utf-8")
    for name in re.findall(r"`(test_\w+)`", text):
        assert f"def {name}(" in own, name
    for path in re.findall(r"(?:`|\()((?:tests|docs|examples)/[\w/]+\.\w+)", text):
        assert (ROOT / path).exists(), path
