"""Run notebooks in place, with progress in the terminal and no debris in the file.

``python -m finhash.study.report.notebooks notebooks/00_dataset.ipynb ...`` executes each with nbconvert's
own preprocessor. Progress bars go to the terminal and are left out of the file, as is metadata
that would change at every run. A notebook that fails is not written, and stops the run.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.preprocessors import ExecutePreprocessor
from tqdm import tqdm

from finhash.jobs.files import whole_file

TIMEOUT = 3600
"""Seconds a cell may take: a hang ends as an error."""


class Runner(ExecutePreprocessor):
    """Executes a notebook; passes what cells write to stderr on to the terminal."""

    def process_message(self, msg: dict, cell: Any, cell_index: int) -> Any:  # noqa: ANN401
        """Keep progress bars out of the notebook; show them where the user looks."""
        content = msg["content"]
        if msg["msg_type"] == "stream" and content["name"] == "stderr" and "\r" in content["text"]:
            sys.stderr.write(content["text"])
            sys.stderr.flush()
            return None
        return super().process_message(msg, cell, cell_index)


def run(path: Path, output: Path | None = None) -> None:
    """Execute the notebook at ``path`` and write it to ``output``, in place unless given.

    It runs in its own folder, so that it finds what it would find in JupyterLab.
    """
    notebook = nbformat.read(path, as_version=4)
    runner = Runner(
        timeout=TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        # Kernels on loopback warn, on stderr, that they are not encrypted.
        extra_arguments=["--log-level=ERROR"],
    )
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    with tqdm(total=cells, desc=path.stem, unit="cell", dynamic_ncols=True) as bar:
        runner.on_cell_executed = lambda **_: bar.update()
        runner.preprocess(notebook, {"metadata": {"path": str(path.parent)}})
    notebook.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    with whole_file(output or path) as partial:
        nbformat.write(notebook, partial)


def main() -> None:
    """Run the notebooks named on the command line, in order."""
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    for name in sys.argv[1:]:
        start = time.perf_counter()
        run(Path(name))
        print(f"{Path(name).stem}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
