"""Execution of notebooks, each only when its inputs have changed.

``python -m finhash.study.report.notebooks digests`` writes, for each notebook, a digest of the
inputs whose change makes it run again. ``... run NAME`` executes one notebook into the output
folder. Progress bars go to the terminal and are left out of the file, as is metadata that changes
at every run. A notebook that fails is not written, and stops the run.

On a user's own images, cells with the tag ``set-a`` are left out, because they are about the
stand-in; a notebook whose first cell has the tag is left out as a whole. If a set cannot carry the
analysis of a notebook, the notebook says why in one sentence and is not executed further.

After a run, Markdown cells with a claim that fails on its results are left out, and their claims
are printed. A run that replaces the committed notebooks keeps them, so that they can be corrected.
"""

import ast
import hashlib
import os
import re
import sys
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import grimp
import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbconvert.preprocessors import CellExecutionError, ExecutePreprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from tqdm import tqdm

from finhash.files import whole_file
from finhash.study import project, results
from finhash.study.data.datasets import NoPairsError
from finhash.study.report import available, claims

TIMEOUT = 3600
"""Seconds that a cell may take before it is stopped with an error."""

SET_A = "set-a"
"""Tag of a cell that is about the stand-in."""

PUBLISHING = "finhash.study.report"
"""Package whose modules draw and print results, and so cannot change them."""


class Runner(ExecutePreprocessor):
    """Executor of a notebook that passes progress bars on to the terminal."""

    def process_message(self, msg: dict, cell: Any, cell_index: int) -> Any:  # noqa: ANN401
        """Handle a message of the kernel; print a progress bar instead of keeping it."""
        content = msg["content"]
        if msg["msg_type"] == "stream" and content["name"] == "stderr" and "\r" in content["text"]:
            sys.stderr.write(content["text"])
            sys.stderr.flush()
            return None
        return super().process_message(msg, cell, cell_index)


def names() -> list[str]:
    """Return the stems of all notebooks, in the order in which they run."""
    return sorted(path.stem for path in (project.root() / "notebooks").glob("*.ipynb"))


def run(name: str) -> None:
    """Execute the notebook ``name`` and write it to the output folder.

    The kernel works in the notebook's own folder, as in JupyterLab. If only the notebook's text
    has changed since it was last executed, its outputs are kept and nothing runs.
    """
    source, target = _source(name), project.notebooks() / f"{name}.ipynb"
    notebook = _read(name)
    if not notebook.cells:
        print(f"{name} is about the stand-in: left out")
        return
    current, stamp = _digest_file(name).read_text(), _stamp(name)
    if stamp.exists() and stamp.read_text() == current and target.exists():
        _take_outputs(notebook, nbformat.read(target, as_version=4))
    else:
        _execute(notebook, source)
    _leave_out_failing(notebook, name)
    with whole_file(target) as partial:
        nbformat.write(notebook, partial)
    with whole_file(stamp) as partial:
        partial.write_text(current)


def _read(name: str) -> NotebookNode:
    """Return the notebook ``name`` with the cells that concern the data set of this run.

    It has no cells if the whole notebook is about the stand-in and the images are a user's own.
    """
    notebook = nbformat.read(_source(name), as_version=4)
    if not project.is_standin():
        tagged = [SET_A in cell.metadata.get("tags", []) for cell in notebook.cells]
        kept = [cell for cell, tag in zip(notebook.cells, tagged, strict=True) if not tag]
        notebook.cells = [] if tagged[0] else kept
    return notebook


def _leave_out_failing(notebook: NotebookNode, name: str) -> None:
    """Print the claims of a notebook that fail, and remove their cells outside the checkout."""
    kept = []
    for cell in notebook.cells:
        text = cell.source if cell.cell_type == "markdown" else ""
        failing = claims.failing(claims.marked(text), available.load)
        for key in failing:
            print(f"{name}: a claim fails on these results: {key}")
        if not failing or project.writes_to_checkout():
            kept.append(cell)
    notebook.cells = kept


def write_digests() -> None:
    """Write the digest of each notebook beside its stamp, unless it is there already."""
    makers, digests = results.makers(), {}
    for name in names():
        digests[name] = digest(name, makers, digests)
        file = _digest_file(name)
        if not file.exists() or file.read_text() != digests[name]:
            with whole_file(file) as partial:
                partial.write_text(digests[name])


def digest(name: str, makers: dict[str, str], earlier: dict[str, str]) -> str:
    """Return a digest of the inputs whose change makes the notebook ``name`` run again.

    Included are its code cells; the modules that they import, directly or indirectly, without
    docstrings and comments; the assets; the committed hash tables, if it reads them; scale and data
    set; and the digests of the ``earlier`` notebooks whose results tables it loads, which
    ``makers`` names. Package versions, the machine and the bytes of images are not included.
    """
    code = _python(name)
    state = hashlib.sha256(code.encode())
    modules = sorted(_imported(code))
    for module in modules:
        state.update(_module_code(module).encode())
    data = [*_files(Path(str(project.ASSETS)))]
    if "finhash.study.data.committed" in modules:
        data += _files(project.hashes())
    for file in data:
        state.update(hashlib.sha256(file.read_bytes()).digest())
    inputs = (project.scale().name, project.data_set())
    folders = (os.environ.get(key, "") for key in ("FINHASH_TEMPLATES", "FINHASH_DAS_IMAGES"))
    state.update("\n".join([*inputs, *folders]).encode())
    for table in sorted(set(re.findall(r'results\.load\w*\("(\w+)"', code))):
        state.update(_table_state(table, makers.get(table, ""), earlier))
    return state.hexdigest()


def _table_state(table: str, maker: str, earlier: dict[str, str]) -> bytes:
    """Return the digest of the notebook that makes a table; of a script's table, its bytes."""
    file = project.results(project.root()) / f"{table}.csv"
    if maker in earlier or not file.exists():
        return earlier.get(maker, "").encode()
    return file.read_bytes()


def _source(name: str) -> Path:
    return project.root() / "notebooks" / f"{name}.ipynb"


def _stamp(name: str) -> Path:
    return project.out() / ".stamps" / name


def _digest_file(name: str) -> Path:
    return project.out() / ".stamps" / f"{name}.digest"


def _execute(notebook: NotebookNode, source: Path) -> None:
    runner = Runner(
        timeout=TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        # Kernels on loopback warn, on stderr, that they are not encrypted.
        extra_arguments=["--log-level=ERROR"],
    )
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    with tqdm(total=cells, desc=source.stem, unit="cell", dynamic_ncols=True) as bar:
        runner.on_cell_executed = lambda **_: bar.update()
        try:
            runner.preprocess(notebook, {"metadata": {"path": str(source.parent)}})
        except CellExecutionError as error:
            if error.ename != NoPairsError.__name__:
                raise
            sentence = f"These images cannot carry this analysis: {error.evalue}."
            notebook.cells = [notebook.cells[0], new_markdown_cell(sentence)]
            bar.write(f"{source.stem}: {sentence}")
    notebook.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }


def _take_outputs(notebook: NotebookNode, executed: NotebookNode) -> None:
    """Give the notebook the outputs of an executed one with equal code cells."""
    cells, done = (
        [cell for cell in each.cells if cell.cell_type == "code"] for each in (notebook, executed)
    )
    for cell, earlier in zip(cells, done, strict=True):
        cell.outputs, cell.execution_count = earlier.outputs, earlier.execution_count


def _python(name: str) -> str:
    """Return the code cells of a notebook as one Python program, magics as function calls."""
    cells = _read(name).cells
    transform = TransformerManager().transform_cell
    return "".join(transform(cell.source) for cell in cells if cell.cell_type == "code")


@cache
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph("finhash")


def _imported(code: str) -> set[str]:
    """Return the modules of ``finhash`` that code depends on, publishing left out."""
    graph, found = _graph(), set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    direct = {module for module in found & graph.modules if not module.startswith(PUBLISHING)}
    return direct.union(*(graph.find_upstream_modules(module) for module in direct))


def _module_code(module: str) -> str:
    path = Path(__file__).resolve().parents[3].joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return _without_docstrings(file.read_text())


def _without_docstrings(code: str) -> str:
    """Return the code's syntax tree as text, without comments and without bare strings."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            statements = getattr(node, field, None)
            if isinstance(statements, list):
                setattr(node, field, [each for each in statements if not _is_string(each)])
    return ast.dump(tree)


def _is_string(node: ast.AST) -> bool:
    is_constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_constant and isinstance(node.value.value, str)


def _files(folder: Path) -> Iterable[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Write all digests, or run the notebooks named on the command line, in order."""
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    command, *arguments = sys.argv[1:]
    if command == "digests":
        write_digests()
        return
    for name in arguments:
        start = time.perf_counter()
        run(name)
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
