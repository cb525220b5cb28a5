r"""The report: numbers and tables from results, then the PDF and the README's block.

``python -m finhash.study.report.build`` copies ``report/report.tex`` to the output folder, writes
``generated/`` beside it and builds the PDF there. The text quotes a number as ``\result{key}``;
beside each key stands the results table that the number comes from.
"""

import re
import shutil
import subprocess
import sys

from finhash import methods
from finhash.jobs.files import whole_file
from finhash.study import project
from finhash.study.report import numbers_accuracy, numbers_certainty, numbers_cost
from finhash.study.report.rounding import Numbers

SOURCES = ("report.tex", "references.bib")
"""Hand-written files of the report."""


def main() -> None:
    """Build the report; if it replaces the committed one, update the README's block too."""
    folder = project.report()
    (folder / "generated").mkdir(parents=True, exist_ok=True)
    if not project.writes_to_checkout():
        for name in SOURCES:
            shutil.copy(project.root() / "report" / name, folder / name)
    (folder / "generated" / "numbers.tex").write_text(numbers_tex())
    for name, table in tables().items():
        (folder / "generated" / f"{name}.tex").write_text(table)
    (folder / "generated" / "words.tex").write_text(f"{count_words()}\n")
    status = build_pdf()
    readme = project.root() / "README.md"
    if status == 0 and project.writes_to_checkout():
        text = with_block(readme.read_text())
        with whole_file(readme) as partial:
            partial.write_text(text)
    print(f"report: {folder / 'report.pdf'}" if status == 0 else "report: LaTeX failed")
    sys.exit(status)


def count_words() -> int:
    """Return the number of words in the report's text, headings and captions, by ``texcount``."""
    command = ["texcount", "-1", "-sum", "-q", "report.tex"]
    run = subprocess.run(command, cwd=project.report(), capture_output=True, text=True, check=True)
    return int(run.stdout.split()[0])


def build_pdf() -> int:
    """Build ``report.pdf`` with latexmk and return its exit code; print the log's errors."""
    folder = project.root() / "build" if project.writes_to_checkout() else project.out()
    scratch = folder / "latex"
    # -g forces a run: after an error, latexmk otherwise waits until an input file changes.
    options = [
        "-g",
        "-pdf",
        "-interaction=nonstopmode",
        "-halt-on-error",
        "-file-line-error",
        "-silent",
    ]
    command = ["latexmk", *options, f"-outdir={scratch}", "report.tex"]
    run = subprocess.run(command, cwd=project.report(), capture_output=True, text=True, check=False)
    if run.returncode:
        log = (scratch / "report.log").read_text(errors="replace")
        errors = re.findall(r"^(?:.*:\d+: .*|! .*)(?:\n(?!\n).*){0,3}", log, re.MULTILINE)
        print("\n".join(errors) or run.stdout + run.stderr)
    else:
        shutil.copy(scratch / "report.pdf", project.report() / "report.pdf")
    return run.returncode


def numbers_tex() -> str:
    """Return the numbers as LaTeX definitions, each with its results table in a comment."""
    return "".join(
        f"\\expandafter\\def\\csname result@{key}\\endcsname{{{text}}}% data/results/{source}.csv\n"
        for key, (text, source) in numbers().items()
    )


def numbers() -> Numbers:
    """Return every number that the report may quote, by key."""
    return numbers_cost.numbers() | numbers_accuracy.numbers() | numbers_certainty.numbers()


def tables() -> dict[str, str]:
    """Return the report's tables as LaTeX, by file name."""
    return numbers_cost.tables() | numbers_accuracy.tables() | numbers_certainty.tables()


def with_block(readme: str) -> str:
    """Return the README's text with its block of results replaced by the current one."""
    return re.sub(
        r"(<!-- results -->\n).*?(<!-- /results -->)",
        lambda found: found[1] + readme_block() + found[2],
        readme,
        flags=re.DOTALL,
    )


def readme_block() -> str:
    """Return the headline numbers as a Markdown table."""
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
        (f"all {text['images']} images, {text['cores']} cores", f"{text['whole-seconds']} s"),
        (
            "recall at a false positive rate of 1 in 10,000, templates that nothing was tuned on",
            ", ".join(
                f"{methods.get(n).label} {text[f'b-rate4-{n}']}"
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
