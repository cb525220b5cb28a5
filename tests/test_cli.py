"""The command line: results on stdout, messages on stderr, exit codes."""

import csv
import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from finhash import cluster, find_hash, methods
from finhash.__main__ import main
from finhash.commands.shared import CLUSTERINGS
from finhash.jobs import batch
from finhash.tables.hash_table import HashTable
from tests.conftest import jpeg_bytes


def run(*words: object) -> Result:
    return CliRunner().invoke(main, list(map(str, words)))


@pytest.fixture
def photos(tmp_path):
    """Create a folder with a subfolder: two families of two images, and a singleton."""
    home = tmp_path / "photos"
    (home / "more").mkdir(parents=True)
    for k, name in enumerate(["a1.jpg", "b1.jpg", "c.jpg"]):
        (home / name).write_bytes(jpeg_bytes(seed=k))
    for name in ("a", "b"):
        with Image.open(home / f"{name}1.jpg") as image:
            image.save(home / "more" / f"{name}2.png")
    (home / "notes.txt").write_text("not an image, and ignored because of its extension")
    return home


@pytest.fixture
def hashed(photos, tmp_path):
    assert run("hash", photos, "-o", tmp_path / "hashes", "--executor", "serial").exit_code == 0
    return tmp_path / "hashes"


def rows(result: Result) -> list[dict]:
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_hash_finds_images_in_folders(photos, hashed):
    table = HashTable.read(hashed)
    assert len(table) == 5
    first = photos / "a1.jpg"
    assert table.hashes("find")[table.paths.index(str(first))].tobytes().hex() == str(
        find_hash(first)
    )


def test_hash_resumes_and_reports_failures(photos, hashed):
    (photos / "broken.jpg").write_bytes(b"no JPEG")
    again = run("hash", photos, "-o", hashed, "--executor", "serial")
    assert again.exit_code == 1
    assert again.stdout == ""
    assert "1 of 6 files could not be hashed" in again.stderr
    assert "broken.jpg: NotAnImageError" in again.stderr
    other = run("hash", photos, "-o", hashed, "--method", "dhash64", "--executor", "serial")
    assert other.exit_code == 1
    assert HashTable.read(hashed).methods == ["find", "dhash64"]


def test_hash_prints_the_hash_and_the_path_as_it_was_given(photos, monkeypatch):
    monkeypatch.chdir(photos)
    shown = run("hash", "./a1.jpg", photos / "b1.jpg")
    assert shown.exit_code == 0
    assert shown.stderr.startswith("hashed 2 files, 0 skipped, 0 failed; ")
    assert shown.stdout == (
        f"{find_hash('a1.jpg')},./a1.jpg\n{find_hash('b1.jpg')},{photos / 'b1.jpg'}\n"
    )
    folder = run("hash", ".", "--workers", 1).stdout.splitlines()
    assert [line.split(",")[1] for line in folder] == [
        "a1.jpg",
        "b1.jpg",
        "c.jpg",
        "more/a2.png",
        "more/b2.png",
    ]


def test_hash_prints_one_hash_per_method(photos):
    shown = run("hash", photos / "c.jpg", "--method", "dhash64", "--method", "find")
    line = next(csv.reader(io.StringIO(shown.stdout)))
    dhash = methods.get("dhash64").image_hash(photos / "c.jpg")
    assert line == [str(dhash), str(find_hash(photos / "c.jpg")), str(photos / "c.jpg")]


def test_hash_prints_csv_with_a_header_and_json(photos):
    words = (
        "hash",
        photos / "c.jpg",
        photos / "notes.txt",
        "--method",
        "find",
        "--method",
        "dhash64",
    )
    row = {
        "path": str(photos / "c.jpg"),
        "find": str(find_hash(photos / "c.jpg")),
        "dhash64": str(methods.get("dhash64").image_hash(photos / "c.jpg")),
    }
    shown = run(*words, "--format", "csv")
    assert (shown.exit_code, rows(shown)) == (1, [row])
    assert json.loads(run(*words, "--format", "json").stdout) == row
    assert run(*words, "--format", "plain").stdout == run(*words).stdout
    refused = run(*words, "--format", "csv", "-o", photos / "hashes")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--format is for printed hashes" in refused.stderr


@pytest.mark.parametrize("name", ["hashes.parquet", "hashes.PQ", "hashes.csv", "hashes.json"])
def test_hash_refuses_the_name_of_a_file_as_its_folder(photos, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    words = ("hash", photos, "-o", name, "--executor", "serial")
    refused = run(*words)
    assert (refused.exit_code, refused.stdout) == (2, "")
    said = " ".join(refused.stderr.split())
    assert f"pass -o hashes, and then write the file with: finhash export hashes -o {name}" in said
    assert not Path(name).exists()
    Path(name).mkdir()  # of an earlier version
    assert run(*words).exit_code == 0


def test_hash_hands_the_scheduler_to_the_job(photos, tmp_path, monkeypatch):
    given = []

    def run_job(*arguments, scheduler, executor, **options):
        given.append((executor, scheduler))
        raise ValueError("seen")

    monkeypatch.setattr(batch, "run", run_job)
    words = ("hash", photos, "-o", tmp_path / "hashes", "--scheduler", "tcp://10.0.0.1:8786")
    assert "--scheduler needs --executor dask" in run(*words).stderr
    assert "seen" in run(*words, "--executor", "dask").stderr
    assert given == [("dask", "tcp://10.0.0.1:8786")]


def test_hash_prints_reasons_to_stderr_and_goes_on(photos, tmp_path):
    (tmp_path / "truncated.jpg").write_bytes(jpeg_bytes(200, 200)[:3000])
    sources = [
        photos / "notes.txt",
        photos / "a1.jpg",
        tmp_path / "truncated.jpg",
        photos / "c.jpg",
    ]
    shown = run("hash", *sources)
    assert shown.exit_code == 1
    assert [line.split(",")[1] for line in shown.stdout.splitlines()] == [
        str(photos / "a1.jpg"),
        str(photos / "c.jpg"),
    ]
    reasons = shown.stderr.splitlines()
    assert reasons[0].startswith(f"{photos / 'notes.txt'}: NotAnImageError")
    assert reasons[1].startswith(f"{tmp_path / 'truncated.jpg'}: DamagedImageError")


def test_hash_quotes_names_with_commas_and_escapes_other_encodings(tmp_path):
    comma, latin = tmp_path / "a,b.jpg", os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    for path in (comma, Path(os.fsdecode(latin))):
        path.write_bytes(jpeg_bytes())
    shown = run("hash", comma, os.fsdecode(latin))
    found = [path for _, path in csv.reader(io.StringIO(shown.stdout))]
    assert found == [str(comma), str(tmp_path / "caf\\xe9.jpg")]


def test_hash_prints_in_order_and_before_all_is_done(photos, monkeypatch):
    """The second file ends last; the output before it does not wait, and its order holds."""
    command = [sys.executable, "-m", "finhash", "hash", "--workers", "2"]
    os.mkfifo(photos / "go")
    module = "import time\nfrom pathlib import Path\n"
    module += "def wait(image):\n    Path('go').read_bytes() if image.width == 90 else 0\n"
    module += "    import numpy\n    return numpy.zeros(8, numpy.uint8)\n"
    (photos / "waiting.py").write_text(module)
    (photos / "wide.jpg").write_bytes(jpeg_bytes(60, 90))
    names = ["a1.jpg", "wide.jpg", "c.jpg"]
    with subprocess.Popen(
        [*command, "--method", "waiting:wait", *names],
        cwd=photos,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        lines = [process.stdout.readline()]
        (photos / "go").write_bytes(b"")
        lines += process.stdout.readlines()
    assert [line.strip().split(",")[1] for line in lines] == names


def test_printing_hashes_loads_no_table_and_starts_no_process(photos):
    script = (
        "import sys\nfrom finhash.__main__ import main\nmain(sys.argv[1:], standalone_mode=False)\n"
    )
    script = (
        "import sys, multiprocessing\n"
        "multiprocessing.get_context = None\n"
        "from finhash.__main__ import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "except SystemExit as end:\n"
        "    print(int(end.code), *{'pyarrow', 'pandas', 'imagehash'}.intersection(sys.modules))\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script, "hash", photos], capture_output=True, text=True, check=True
    )
    *lines, last = shown.stdout.splitlines()
    assert len(lines) == 5
    assert last == "0"


def test_hash_without_images_is_wrong_usage(photos, tmp_path):
    (tmp_path / "empty").mkdir()
    for words in ([], ["-o", tmp_path / "out"]):
        assert run("hash", tmp_path / "missing", *words).exit_code == 2
        refused = run("hash", tmp_path / "empty", *words)
        assert refused.exit_code == 2
        assert "no image files found in SOURCES; name files, or folders" in refused.stderr
    assert not (tmp_path / "out").exists()
    some = run("hash", tmp_path / "empty", photos / "c.jpg")
    assert some.exit_code == 0
    assert f"no image files in {tmp_path / 'empty'}" in some.stderr


def test_a_table_is_no_image(photos, hashed, tmp_path):
    HashTable.read(hashed).write(tmp_path / "hashes.parquet")
    for table in (hashed, tmp_path / "hashes.parquet"):
        for words in (["hash"], ["evaluate", photos]):
            refused = run(*words, table)
            assert (refused.exit_code, refused.stdout) == (2, "")
            assert "holds hashes;" in refused.stderr
            assert "must be image files, or folders of" in " ".join(refused.stderr.split())


def test_a_table_is_not_written_among_the_images(photos):
    before = sorted(photos.iterdir())
    refused = run("hash", photos, "-o", photos, "--executor", "serial")
    assert refused.exit_code == 2
    assert "is one of SOURCES; name another folder" in refused.stderr
    assert sorted(photos.iterdir()) == before


def test_a_method_named_twice_or_an_executor_without_a_folder_is_wrong_usage(photos):
    twice = run("hash", photos, "--method", "find", "--method", "find")
    assert twice.exit_code == 2
    assert "holds 'find' twice; name each method once" in twice.stderr
    executor = run("hash", photos, "--executor", "processes")
    assert executor.exit_code == 2
    assert "--executor needs --out" in executor.stderr


def test_evaluate_takes_a_table_and_exits_1_if_an_image_has_no_hash(photos, hashed, tmp_path):
    labels = tmp_path / "labels.csv"
    names = ["a1.jpg", "b1.jpg", "c.jpg", "more/a2.png", "more/b2.png", "broken.jpg"]
    labels.write_text(
        "path,label\n" + "".join(f"photos/{name},{Path(name).name[0]}\n" for name in names)
    )
    words = ("--labels", labels, "--fpr", 0.5, "--method", "find", "--quiet", "--workers", 1)
    found = run("evaluate", hashed, *words)
    assert found.exit_code == 0, found.stderr
    assert found.stdout.splitlines()[1].startswith("find")
    assert run("evaluate", photos, *words).exit_code == 0
    (photos / "broken.jpg").write_bytes(b"no JPEG")
    failed = run("evaluate", photos, *words)
    assert failed.exit_code == 1
    assert "1 of 6 files" in failed.stdout
    assert run("hash", photos, "-o", hashed, "--executor", "serial").exit_code == 1
    assert run("evaluate", hashed, *words).exit_code == 1


def test_evaluate_prepares_images(tmp_path):
    """Colours that lie under transparent pixels are hashed unless there is a background."""
    for family in (0, 1):
        noisy = Image.open(io.BytesIO(jpeg_bytes(64, 64, seed=family))).convert("RGBA")
        noisy.save(tmp_path / f"{family}_1.png")
        noisy.putalpha(0)
        noisy.save(tmp_path / f"{family}_2.png")
    words = ("evaluate", tmp_path, "--fpr", 0.3, "--method", "dhash256", "--quiet", "--workers", 1)
    plain, white = run(*words), run(*words, "--background", "white")
    assert (plain.exit_code, white.exit_code) == (0, 0), plain.stderr + white.stderr
    recalls = [shown.stdout.splitlines()[1].split()[3] for shown in (plain, white)]
    assert recalls[0] == "100.0"
    assert recalls[1] != "100.0"
    assert run(*words, "--max-pixels", 9).exit_code == 2
    run("hash", tmp_path, "-o", tmp_path / "hashes", "--method", "dhash256", "--executor", "serial")
    HashTable.read(tmp_path / "hashes").write(tmp_path / "hashes.parquet")
    refused = run("evaluate", tmp_path / "hashes.parquet", *words[2:], "--exif")
    assert refused.exit_code == 2
    assert "are for images that are hashed now, not for a table" in " ".join(refused.stderr.split())


def test_the_help_of_each_command_tells_its_exit_status():
    for name, command in main.commands.items():
        assert "Exit status: 0 if done" in " ".join((command.help or "").split()), name


def test_match_prints_nearest_first(photos, hashed):
    query = photos / "a1.jpg"
    found = run("match", query, "--in", hashed, "--radius", 10)
    assert found.exit_code == 0
    copy = {"query": str(query), "path": str(photos / "more" / "a2.png"), "distance": "0"}
    assert rows(found) == [copy]
    all_ = rows(run("match", query, "--in", hashed, "--radius", 256))
    distances = [int(row["distance"]) for row in all_]
    assert len(all_) == 4
    assert distances == sorted(distances)


def test_match_prints_json_and_exits_0_without_matches(photos, hashed, tmp_path):
    lines = run("match", photos, "--in", hashed, "--radius", 0, "--format", "json").stdout
    assert len([json.loads(line) for line in lines.splitlines()]) == 4
    (tmp_path / "other.jpg").write_bytes(jpeg_bytes(seed=99))
    none = run("match", tmp_path / "other.jpg", "--in", hashed, "--radius", 20)
    assert (none.exit_code, none.stdout) == (0, "query,path,distance\n")
    assert "1 query, 0 with matches; 0 matches; " in none.stderr


def test_match_of_a_folder_without_images_is_wrong_usage(hashed, tmp_path):
    (tmp_path / "empty").mkdir()
    refused = run("match", tmp_path / "empty", "--in", hashed, "--radius", 9)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "no image files found in QUERIES; name files, or folders" in refused.stderr


def test_match_warns_of_versions_that_can_give_other_bits(photos, hashed, tmp_path):
    table, query = HashTable.read(hashed), photos / "a1.jpg"
    there = table.provenance["versions"]
    table.with_provenance(versions={**there, "pillow": "1.0"}).write(tmp_path / "old.parquet")
    table.with_provenance(versions=None).write(tmp_path / "unknown.parquet")
    quiet = run("match", query, "--in", hashed, "--radius", 9, "--quiet")
    assert quiet.stderr == ""
    old = run("match", query, "--in", tmp_path / "old.parquet", "--radius", 9)
    assert (old.exit_code, old.stdout) == (quiet.exit_code, quiet.stdout)
    assert "warning" in old.stderr
    assert "pillow 1.0 instead of" in old.stderr
    unknown = run("match", query, "--in", tmp_path / "unknown.parquet", "--radius", 9)
    assert "does not say which versions made its hashes" in unknown.stderr
    assert unknown.stdout == quiet.stdout


def test_match_exits_2_on_unusable_input(photos, hashed):
    query = photos / "a1.jpg"
    assert run("match", query, "--in", hashed, "--radius", 257).exit_code == 2
    other = run("match", query, "--in", hashed, "--radius", 9, "--method", "dhash64")
    assert other.exit_code == 2
    assert "it has: find" in other.stderr
    assert run("match", query, "--in", photos, "--radius", 9).exit_code == 2


def test_match_exits_1_if_a_query_cannot_be_read(photos, hashed):
    words = ("--in", hashed, "--radius", 9)
    unreadable = run("match", photos / "notes.txt", photos / "a1.jpg", *words)
    assert unreadable.exit_code == 1
    assert "1 of 2 files could not be hashed" in unreadable.stderr
    assert "2 queries, 1 with matches, 1 failed; 1 match; " in unreadable.stderr
    assert [Path(row["path"]).name for row in rows(unreadable)] == ["a2.png"]
    unreadable = run("match", *[photos / "notes.txt"] * 7, *words, "--quiet")
    assert (unreadable.exit_code, unreadable.stdout) == (1, "query,path,distance\n")
    assert unreadable.stderr.endswith("and 2 more\n")


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """Work in a folder with a module of hashes; forget the module and its hashes afterwards."""
    (tmp_path / "own_hashes.py").write_text(
        "import numpy as np\n"
        "def thumbnail(image):\n"
        "    return np.array(image.resize((8, 1))).ravel()\n"
        "bare = lambda image: thumbnail(image)\n"
        "words = str\n"
    )
    (tmp_path / "broken_hashes.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(methods, "METHODS", dict(methods.METHODS))
    yield
    sys.modules.pop("own_hashes", None)


@pytest.mark.usefixtures("own_module")
def test_a_function_of_ones_own_hashes_matches_and_clusters(photos, tmp_path):
    own, out = ("--method", "own_hashes:thumbnail"), tmp_path / "own"
    done = run("hash", photos, "-o", out, "--executor", "serial", *own, "--method", "find")
    assert done.exit_code == 0
    table = HashTable.read(out)
    assert table.methods == ["own_hashes:thumbnail", "find"]
    assert table.hashes("own_hashes:thumbnail").shape == (5, 24)
    found = run("match", photos / "a1.jpg", "--in", out, "--radius", 0, *own)
    assert [Path(row["path"]).name for row in rows(found)] == ["a2.png"]
    assert {row["size"] for row in rows(run("cluster", out, "--radius", 0, *own))} == {"2"}
    for command in (["match", photos, "--in", out, *own], ["cluster", out, *own]):
        refused = run(*command)
        assert refused.exit_code == 2
        message = " ".join(refused.stderr.split())
        assert "no threshold of 'own_hashes:thumbnail' is known" in message
        assert "pass --radius" in message
    missing = run("cluster", out, "--radius", 0, "--method", "own_hashes:other")
    assert missing.exit_code == 2
    assert "no hashes of 'own_hashes:other'; it has: own_hashes:thumbnail, find" in missing.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("own_module")
def test_worker_processes_import_a_function_of_ones_own(photos, tmp_path):
    command = [sys.executable, "-P", "-m", "finhash", "hash", photos, "-o", tmp_path / "own"]
    words = ["--method", "own_hashes:thumbnail", "--workers", "2", "--quiet"]
    subprocess.run([*command, *words], check=True)
    table = HashTable.read(tmp_path / "own")
    assert table.errors == [""] * 5
    expected = run("hash", photos, "-o", tmp_path / "same", "--executor", "serial", *words[:2])
    assert expected.exit_code == 0
    assert table.arrow.equals(HashTable.read(tmp_path / "same").arrow)


@pytest.mark.usefixtures("own_module")
@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("mhash", "unknown method 'mhash'; choose one of find"),
        ("no_module:own", "ModuleNotFoundError: No module named 'no_module'"),
        ("own_hashes:absent", "has no attribute 'absent'"),
        ("own_hashes:np", "not a function"),
        ("own_hashes:words", "returned an object of type str"),
        ("broken_hashes:own", "ZeroDivisionError"),
        ("own_hashes:bare", "'own_hashes:bare' cannot be sent to worker processes"),
    ],
)
def test_methods_that_cannot_be_used_are_wrong_usage(photos, tmp_path, method, message):
    refused = run("hash", photos, "-o", tmp_path / "out", "--method", method)
    assert refused.exit_code == 2
    assert message in " ".join(refused.stderr.split())
    assert not (tmp_path / "out").exists()


def test_missing_packages_are_wrong_usage(photos, tmp_path, monkeypatch):
    hashes = tmp_path / "hashes"
    assert (
        run("hash", photos, "-o", hashes, "--method", "pdq", "--executor", "serial").exit_code == 0
    )
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.setitem(sys.modules, "pdqhash", None)
    dask = run("hash", photos, "-o", tmp_path / "other", "--executor", "dask")
    assert dask.exit_code == 2
    assert 'pip install "finhash[cluster]"' in dask.stderr
    words = ("--in", hashes, "--radius", 9, "--method", "pdq")
    for pdq in (
        run("match", photos / "a1.jpg", *words),
        run("hash", photos, "--method", "pdq"),
        run("hash", photos, "-o", tmp_path / "other", "--method", "pdq"),
        run("evaluate", photos, "--method", "pdq"),
    ):
        assert (pdq.exit_code, pdq.stdout) == (2, "")
        message = " ".join(pdq.stderr.split())
        assert "'pdq' needs the package pdqhash, which is not installed" in message
        assert 'pip install "finhash[pdq]"' in message
    assert not (tmp_path / "other").exists()


def test_unwritable_output_is_wrong_usage(photos, hashed):
    notes = photos / "notes.txt"
    for result in (
        run("hash", photos, "-o", notes, "--executor", "serial"),
        run("cluster", hashed, "--radius", 9, "-o", notes / "families.csv"),
        run("cluster", hashed, "--radius", 9, "--sheet", notes / "sheet.png"),
    ):
        assert result.exit_code == 2
        assert "notes.txt" in result.stderr


@pytest.mark.parametrize("algorithm", CLUSTERINGS)
def test_cluster_writes_families_and_a_contact_sheet(hashed, tmp_path, algorithm):
    out, sheet = tmp_path / "families.csv", tmp_path / "sheet.png"
    done = run("cluster", hashed, "--radius", 10, "--by", algorithm, "-o", out, "--sheet", sheet)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "5 images: 2 families of 2 or more, with 4 of them; " in done.stderr
    assert b"\r" not in out.read_bytes()
    families = list(csv.DictReader(out.open()))
    assert [row["family"] for row in families] == ["0", "0", "1", "1"]
    assert [row["size"] for row in families] == ["2", "2", "2", "2"]
    with Image.open(sheet) as image:
        assert image.size == (2 * 96, 2 * 96)


def test_cluster_prints_to_stdout(hashed):
    assert len(rows(run("cluster", hashed, "--radius", 10))) == 4
    every = rows(run("cluster", hashed, "--radius", 10, "--min-size", 1))
    assert [row["size"] for row in every] == ["2", "2", "2", "2", "1"]
    assert run("cluster", hashed, "--radius", 300).exit_code == 2


def test_cluster_writes_where_it_is_told(hashed, tmp_path):
    """Pipes and links stay; the null device of the machine once became a file."""
    pipe, found = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: found.append(pipe.read_text()), daemon=True)
    reader.start()
    (tmp_path / "sheet.png").symlink_to("target")
    words = ("cluster", hashed, "--radius", 10)
    done = run(*words, "-o", pipe, "--sheet", tmp_path / "sheet.png")
    assert done.exit_code == 0
    reader.join(30)
    assert found == [run(*words, "-o", "-").stdout]
    assert pipe.is_fifo()
    assert (tmp_path / "sheet.png").is_symlink()
    with Image.open(tmp_path / "target") as image:
        assert image.format == "PNG"


def test_a_sheet_of_an_unknown_format_is_refused_before_clustering(hashed, tmp_path):
    out = tmp_path / "families.csv"
    refused = run("cluster", hashed, "--radius", 9, "-o", out, "--sheet", tmp_path / "sheet.txt")
    assert refused.exit_code == 2
    assert "extension '.txt'; use .png or .jpg" in refused.stderr
    assert not out.exists()


def test_clusterings_are_those_of_the_library():
    assert tuple(cluster.METHODS) == CLUSTERINGS


def test_help_has_examples_and_the_module_runs():
    for command in main.commands:
        assert "Example" in run(command, "--help").stdout
    shown = subprocess.run(
        [sys.executable, "-m", "finhash", "--version"], capture_output=True, text=True, check=True
    )
    assert "finhash" in shown.stdout
