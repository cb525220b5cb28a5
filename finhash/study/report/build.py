r"""The report: numbers, sentences and tables from results, then the PDF and the README's block.

``python -m finhash.study.report.build`` copies the sources in ``report/`` to the output folder,
writes ``generated/`` beside them and builds ``report.pdf`` there: from ``report.tex`` for the
stand-in, from ``your_images.tex`` for a user's own set. The text quotes a number or a sentence as
``\result{key}``; beside each key stands the results table that it comes from. Sentences that
compare stand in ``\claim{key}{sentence}``, which prints them only if the claim holds.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping

from finhash import methods
from finhash.files import whole_file
from finhash.study import project
from finhash.study.report import (
    available,
    claims,
    figures,
    plausible,
    quoted,
    sentences,
    tables,
)
from finhash.study.report.rounding import Numbers, numeric

PART = "part1"
"""Source of the text that both reports share."""

README_RECALLS = ("find", "phash256", "dhash256", "ahash256", "whash256")
"""Methods whose recall on set B the README lists."""

CONDITION = re.compile(r"\\(given|lacking|claim|otherwise)\{([\w.-]+)\}\{")
"""Beginning of LaTeX that is printed only if a result exists or a claim holds, or only if not."""


def main() -> None:
    """Build the report; if it replaces the committed one, update the README's block too."""
    folder = project.report()
    folder.mkdir(parents=True, exist_ok=True)
    if not project.writes_to_checkout():
        for path in (project.root() / "report").iterdir():
            if path.suffix in {".tex", ".bib"}:
                with whole_file(folder / path.name) as partial:
                    shutil.copyfile(path, partial)
    stop_if_impossible()
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


def stop_if_impossible() -> None:
    """Print values of this run that cannot be; exit with 1 if the run has full scale."""
    names = sorted(path.stem for path in project.results().glob("*.csv"))
    faults = list(plausible.faults(names))
    for fault in faults:
        print(f"report: impossible: {fault}")
    if faults and project.scale().name == "full":
        sys.exit(1)


def write_generated() -> None:
    """Write numbers, tables and the count of words to an empty folder ``generated/``.

    Print the claims of the report's sentences that fail, and are left out.
    """
    folder = project.report() / "generated"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    source, known = sources(), numbers()
    keys = set(re.findall(r"\\(?:result|given|lacking)\{([\w-]+)\}", source))
    claimed = dict.fromkeys(re.findall(r"\\(?:claim|otherwise)\{([\w-]+)\}\{", source))
    failing = set(claims.failing(claimed, available.load)) | _without_numbers(source, known)
    holding = [key for key in claimed if key not in failing]
    lines = [
        f"\\expandafter\\def\\csname result@{key}\\endcsname{{{text}}}% data/results/{table}.csv\n"
        for key, (text, table) in known.items()
        if key in keys
    ]
    lines += [f"\\expandafter\\def\\csname claim@{key}\\endcsname{{}}\n" for key in holding]
    printed = {key: text for key, (text, _) in known.items()}
    words = count_words(resolve(source, printed, holding))
    generated = {"numbers": "".join(lines), "words": f"{words:,}\n", **tables.tables()}
    for name, text in generated.items():
        with whole_file(folder / f"{name}.tex") as partial:
            partial.write_text(text)
    for key in sorted(failing):
        print(
            f"report: a sentence is left out, because its claim fails or a number is missing: {key}"
        )


def sources() -> str:
    """Return the report's source as one text."""
    folder = project.report()
    part = (folder / f"{PART}.tex").read_text()
    return (folder / main_source()).read_text().replace(f"\\input{{{PART}}}", part)


def count_words(text: str) -> int:
    """Return the number of words in LaTeX's text, headings and captions, by ``texcount``."""
    command = ["texcount", "-1", "-sum", "-q", "-"]
    run = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return int(run.stdout.split()[0])


def resolve(text: str, known: Mapping[str, str], holding: Collection[str]) -> str:
    r"""Return LaTeX as it is printed, without conditions and with the text of each result.

    Parameters
    ----------
    text : str
        LaTeX with ``\given{key}{text}`` and ``\lacking{key}{text}`` for results, and
        ``\claim{key}{text}`` and ``\otherwise{key}{text}`` for claims, which may be nested.
    known : mapping of str to str
        Key of each result that exists -> its text.
    holding : collection of str
        Keys of the claims that hold.

    Examples
    --------
    >>> print(resolve(r"\given{a}{one {two}} \lacking{a}{three}\result{a}", {"a": "four"}, []))
    one {two} four
    """
    while found := CONDITION.search(text):
        end = _argument_end(text, found.end())
        met = found[2] in (holding if found[1] in ("claim", "otherwise") else known)
        printed = met == (found[1] in ("given", "claim"))
        text = text[: found.start()] + text[found.end() : end - 1] * printed + text[end:]
    return re.sub(r"\\result\{([^}]*)\}", lambda each: known.get(each[1], each[0]), text)


def _argument_end(text: str, start: int) -> int:
    """Return the position behind the brace that closes an argument, from its first character."""
    end, depth = start, 1
    while depth:
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
    return end


def _without_numbers(source: str, known: Collection[str]) -> set[str]:
    """Return the claims whose sentences quote a number that this run does not have."""
    lacking = set()
    for found in CONDITION.finditer(source):
        sentence = source[found.end() : _argument_end(source, found.end())]
        quotes = re.findall(r"\\result\{([\w-]+)\}", sentence)
        if found[1] == "claim" and not set(quotes) <= set(known):
            lacking.add(found[2])
    return lacking


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
        with whole_file(project.report() / "report.pdf") as partial:
            shutil.copyfile(scratch / "report.pdf", partial)
    return run.returncode


def numbers() -> Numbers:
    r"""Return every number and sentence that the report may quote, by key.

    A user's own set has only those that exist. Its figures and tables have keys too, such as
    ``figure-roc``, with empty texts, so that ``\given`` can ask for them.
    """
    found = quoted.numbers()
    if project.is_standin():
        return found
    found |= sentences.texts()
    drawn = {stem: read[:1] for stem, (_, read) in figures.FIGURES.items() if figures.exists(stem)}
    shown = {f"figure_{stem}": ("", *read) for stem, read in drawn.items() if read}
    shown |= dict.fromkeys(tables.tables(), ("", "rates"))
    return numeric(found) | {key.replace("_", "-"): entry for key, entry in shown.items()}


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
        key: value.replace("\\,\\%", " %").replace("\\,", ",").replace("\\%", "%")
        for key, (value, _) in numbers().items()
    }
    rows = [
        ("FINd as published, file to hash", "{reference-ms} ms"),
        ("`finhash`, file to hash", "{deployed-ms} ms, {proved-bits} bits changed"),
        ("hash all {images} images, 2 workers", "{whole-seconds} s"),
        ("look up one image in a million", "{match-one} ms"),
        ("cluster a million images (simulated)", "{cluster-components-seconds} s"),
        (
            "recall at a false positive rate of 1 in 10,000, on unseen templates",
            ", ".join(f"{methods.get(name).label} {{b-rate4-{name}}}" for name in README_RECALLS),
        ),
        ("bits changed in {volume-images} images", "{volume-bits}"),
        ("mutated files without exactly one row, of {fuzz-files}", "{fuzz-lost}"),
        (
            "finished rows lost in {fault-kinds} kinds of faults, apart from deleting the folder",
            "{faults-lost}",
        ),
    ]
    lines = "".join(f"| {what} | {value} |\n" for what, value in rows)
    machine = "{cpu}, {cores} cores; Python {python}, Pillow {pillow}, Numba {numba}"
    return f"| measured ({machine}) | |\n|---|---|\n{lines}".format_map(text)


if __name__ == "__main__":
    main()
