r"""The report: numbers, sentences and tables from results, then the PDF and the README's block.

``python -m finhash.study.report.build`` copies the sources in ``report/`` to the output folder,
writes ``generated/`` beside them and builds ``report.pdf`` there: from ``report.tex`` for the
stand-in, from ``your_images.tex`` for a user's own set. The text quotes a number or a sentence as
``\result{key}``; beside each key stands the results table that it comes from.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from string import Formatter

from finhash import methods
from finhash.jobs.files import whole_file
from finhash.study import project
from finhash.study.report import (
    sentences,
    figures,
    numbers_accuracy,
    numbers_certainty,
    numbers_cost,
)
from finhash.study.report.rounding import Numbers, Texts, numeric

PARTS = ("opening", "part1")
"""Sources that both reports share and that hold text."""

CONDITION = re.compile(r"\\(given|lacking)\{([\w.-]+)\}\{")
"""Beginning of LaTeX that is printed only if a result exists, or only if it does not."""


def main() -> None:
    """Build the report; if it replaces the committed one, update the README's block too."""
    folder = project.report()
    folder.mkdir(parents=True, exist_ok=True)
    if not project.writes_to_checkout():
        for path in (project.root() / "report").iterdir():
            if path.suffix in {".tex", ".bib"}:
                shutil.copy(path, folder / path.name)
    write_generated()
    status = build_pdf()
    readme = project.root() / "README.md"
    if status == 0 and project.writes_to_checkout():
        text = with_block(readme.read_text())
        with whole_file(readme) as partial:
            partial.write_text(text)
    print(f"report: {folder / 'report.pdf'}" if status == 0 else "report: LaTeX failed")
    sys.exit(status)


def main_source() -> str:
    """Return the file that the report is built from: a user's own set has one of its own."""
    return "report.tex" if project.is_standin() else "your_images.tex"


def write_generated() -> None:
    """Write numbers, tables and the count of words to an empty folder ``generated/``."""
    folder = project.report() / "generated"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "numbers.tex").write_text(numbers_tex())
    for name, table in tables().items():
        (folder / f"{name}.tex").write_text(table)
    (folder / "words.tex").write_text(f"{count_words()}\n")


def count_words() -> int:
    """Return the number of words in the report's text, headings and captions, by ``texcount``."""
    command = ["texcount", "-1", "-sum", "-q", "-"]
    run = subprocess.run(command, input=full_text(), capture_output=True, text=True, check=True)
    return int(run.stdout.split()[0])


def full_text() -> str:
    """Return the report's source as one text, as far as it is printed, with its sentences.

    Numbers stay keys, which count as one word each.
    """
    folder, found = project.report(), numbers()
    text = (folder / main_source()).read_text()
    for part in PARTS:
        text = text.replace(f"\\input{{{part}}}", (folder / f"{part}.tex").read_text())
    sentences = {key: entry[0] for key, entry in found.items() if key.startswith("claim-")}
    return resolve(text, found.keys(), sentences)


def resolve(text: str, known: Collection[str], sentences: Mapping[str, str]) -> str:
    r"""Return LaTeX without its conditions, and with sentences in the place of their keys.

    Parameters
    ----------
    text : str
        LaTeX with ``\given{key}{text}`` and ``\lacking{key}{text}``, which may be nested.
    known : collection of str
        Keys of the results that exist.
    sentences : mapping of str to str
        Key of a result -> sentence that replaces ``\result{key}``.

    Examples
    --------
    >>> print(resolve(r"\given{a}{one {two}} \lacking{a}{three}\result{b}", {"a"}, {"b": "four"}))
    one {two} four
    """
    while found := CONDITION.search(text):
        end, depth = found.end(), 1
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        printed = (found[2] in known) == (found[1] == "given")
        text = text[: found.start()] + text[found.end() : end - 1] * printed + text[end:]
    return re.sub(r"\\result\{([^}]*)\}", lambda each: sentences.get(each[1], each[0]), text)


def build_pdf() -> int:
    """Build ``report.pdf`` with latexmk and return its exit code; print the log's errors."""
    folder = project.root() / "build" if project.writes_to_checkout() else project.out()
    # LaTeX looks for "../figures" from its output folder first. No run leaves figures there.
    scratch = folder / "latex" / "report"
    # -g forces a run: after an error, latexmk otherwise waits until an input file changes.
    options = [
        "-g",
        "-pdf",
        "-interaction=nonstopmode",
        "-halt-on-error",
        "-file-line-error",
        "-silent",
        "-jobname=report",
    ]
    command = ["latexmk", *options, f"-outdir={scratch}", main_source()]
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
    r"""Return every number and sentence that the report may quote, by key.

    A user's own set has only those that exist. Its figures and tables have keys too, such as
    ``figure-roc``, with empty texts, so that ``\given`` can ask for them.
    """
    found = (
        numbers_cost.numbers()
        | numbers_accuracy.numbers()
        | numbers_certainty.numbers()
        | sentences.numbers()
    )
    if project.is_standin():
        return found
    drawn = {stem: read[0] for stem, (_, read) in figures.FIGURES.items() if figures.exists(stem)}
    shown = {f"figure_{stem}": ("", name) for stem, name in drawn.items()}
    shown |= dict.fromkeys(tables(), ("", "rates"))
    return numeric(found) | {key.replace("_", "-"): entry for key, entry in shown.items()}


def tables() -> Texts:
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
    """Return the headline numbers as a Markdown table, without rows that the results lack."""
    text = {
        key: value.replace("\\,\\%", "%").replace("\\,", ",").replace("\\%", "%").replace("\\", "")
        for key, (value, _) in numbers().items()
    }
    if not project.is_standin():
        prefix = "merged4-" if "merged4-find" in text else "labelled4-"
        subject = "{title}"
    else:
        prefix, subject = "b-rate4-", "templates that nothing was tuned on"
    recalls = ("find", "phash256", "dhash256", "ahash256", "whash256")
    rows = [
        ("FINd as published, file to hash", "{reference-ms} ms"),
        (
            "`finhash`, file to hash",
            "{deployed-ms} ms, {deployed-times} times faster, {proved-bits} bits changed",
        ),
        ("`imagehash`, 64 bits, file to hash", "{peer-fastest-ms} to {peer-slowest-ms} ms"),
        ("all {images} images, {cores} cores", "{whole-seconds} s"),
        (
            f"recall at a false positive rate of 1 in 10,000, {subject}",
            ", ".join(f"{methods.get(name).label} {{{prefix}{name}}}" for name in recalls),
        ),
    ]
    lines = [f"| {what} | {value} |\n" for what, value in rows if _keys(what + value) <= set(text)]
    machine = "{cpu}, {cores} cores; Python {python}, Pillow {pillow}, Numba {numba}"
    block = f"| measured ({machine}) | |\n|---|---|\n" + "".join(lines)
    return block.format_map(text)


def _keys(template: str) -> set[str]:
    """Return the keys in the braces of a format string."""
    return {key for _, key, _, _ in Formatter().parse(template) if key}


if __name__ == "__main__":
    main()
