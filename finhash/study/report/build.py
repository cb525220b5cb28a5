r"""Results tables -> the report's numbers and tables, the README's block, and the PDF.

``python -m finhash.study.report.build`` writes ``report/generated/`` and builds the PDF. The report
takes every number as ``\result{key}``; beside each key stands the table that it comes from.
"""

import re
import shutil
import subprocess
import sys

from finhash import methods
from finhash.study import project
from finhash.study.report import numbers_accuracy, numbers_cost
from finhash.study.report.rounding import Numbers


def main() -> None:
    """Write the generated part of the report and the README's block, and build the PDF."""
    folder = project.report() / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "numbers.tex").write_text(numbers_tex())
    for name, table in tables().items():
        (folder / f"{name}.tex").write_text(table)
    (folder / "words.tex").write_text(f"{count_words()}\n")
    readme = project.root() / "README.md"
    if readme.exists():
        readme.write_text(with_block(readme.read_text()))
    sys.exit(build_pdf())


def count_words() -> int:
    """Words of the report's text, headers and captions, by ``texcount``."""
    command = ["texcount", "-1", "-sum", "-q", "report.tex"]
    run = subprocess.run(command, cwd=project.report(), capture_output=True, text=True, check=True)
    return int(run.stdout.split()[0])


def build_pdf() -> int:
    """Build ``report/report.pdf`` by ``latexmk``; its exit code, with the log's errors printed."""
    build = project.root() / "build" / "latex"
    # -g: latexmk would not try again after an error whose cause it cannot see to be gone.
    options = [
        "-g",
        "-pdf",
        "-interaction=nonstopmode",
        "-halt-on-error",
        "-file-line-error",
        "-silent",
    ]
    command = ["latexmk", *options, f"-outdir={build}", "report.tex"]
    run = subprocess.run(command, cwd=project.report(), capture_output=True, text=True, check=False)
    if run.returncode:
        log = (build / "report.log").read_text(errors="replace")
        errors = re.findall(r"^(?:.*:\d+: .*|! .*)(?:\n(?!\n).*){0,3}", log, re.MULTILINE)
        print("\n".join(errors) or run.stdout + run.stderr)
    else:
        shutil.copy(build / "report.pdf", project.report() / "report.pdf")
    return run.returncode


def numbers_tex() -> str:
    """The numbers as LaTeX definitions, each with the results table that it comes from."""
    return "".join(
        f"\\expandafter\\def\\csname result@{key}\\endcsname{{{text}}}% data/results/{source}.csv\n"
        for key, (text, source) in numbers().items()
    )


def numbers() -> Numbers:
    """Every number that the report's text quotes."""
    return numbers_cost.numbers() | numbers_accuracy.numbers()


def tables() -> dict[str, str]:
    """The report's tables by file name, as LaTeX."""
    return numbers_cost.tables() | numbers_accuracy.tables()


def with_block(readme: str) -> str:
    """The README's text with its results block made anew."""
    return re.sub(
        r"(<!-- results -->\n).*?(<!-- /results -->)",
        lambda found: found[1] + readme_block() + found[2],
        readme,
        flags=re.DOTALL,
    )


def readme_block() -> str:
    """The headline numbers as Markdown."""
    text = {
        key: value.replace("\\,\\%", "%").replace("\\,", ",").replace("\\%", "%").replace("\\", "")
        for key, (value, _) in numbers().items()
    }
    rows = [
        ("FINd as published, file to hash", f"{text['reference-ms']} ms"),
        (
            "`finhash`, file to hash",
            f"{text['deployed-ms']} ms, {text['deployed-times']} times faster, "
            f"{text['proved-bits']} bits changed",
        ),
        (
            "`imagehash`, 64 bits, file to hash",
            f"{text['peer-fastest-ms']} to {text['peer-slowest-ms']} ms",
        ),
        (f"all {text['images']} pictures, {text['cores']} cores", f"{text['whole-seconds']} s"),
        (
            "recall at a false positive rate of 1 in 100,000, one picture one family",
            ", ".join(
                f"{methods.get(n).label} {text[f'merged5-{n}']}"
                for n in ("find", "phash256", "dhash256", "ahash256", "whash256")
            ),
        ),
    ]
    lines = [f"| {what} | {value} |\n" for what, value in rows]
    machine = (
        f"{text['cpu']}, {text['cores']} cores; Python {text['python']}, "
        f"Pillow {text['pillow']}, Numba {text['numba']}"
    )
    return f"| measured ({machine}) | |\n|---|---|\n" + "".join(lines)


if __name__ == "__main__":
    main()
