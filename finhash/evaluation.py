"""``evaluate``: which hash, at which threshold, on one's own labelled images.

Images of one label are a family. The measures, the rule for thresholds and the intervals are those
of ``finhash.accuracy``. The module needs ``pip install "finhash[evaluate]"``.
"""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path

import numpy as np

try:
    import pandas as pd
except ModuleNotFoundError as error:
    raise ImportError('finhash.evaluate needs: pip install "finhash[evaluate]"') from error

from finhash import hamming
from finhash import methods as registry
from finhash.accuracy import counting, findings, rates, resampling, thresholds
from finhash.accuracy import labels as given_labels
from finhash.accuracy import verdicts as judged
from finhash.accuracy.counting import PairTable
from finhash.accuracy.verdict_file import COLUMNS
from finhash.jobs.batch import hash_files
from finhash.jobs.folders import files_of
from finhash.pages import answer
from finhash.pages.review import SHOWN, Pair, write_page
from finhash.preparation import AS_STORED, Preparation
from finhash.tables.hash_table import HashTable

AS_LABELLED, MERGED = "as labelled", "merged"
"""Labellings: the labels given, and with families merged that were judged to show one image."""

CLOSEST = 200
"""Largest number of pairs of families in ``Evaluation.pairs``."""

LOOKED_AT = 5
"""Number of pairs of families whose images may all match when the closest pairs are sought.

If few families are given, the wanted rate may allow no match at all, and would hide two families
that show one image. The closest pairs are therefore sought at the rate of ``LOOKED_AT`` of all
pairs of families if this is larger, up to ``LARGEST_RATE``.
"""

LARGEST_RATE = 0.2
"""Largest false positive rate at which the closest pairs of families are sought."""

FEWEST = 4
"""Families of several images that an interval needs: halves of fewer hold one family at most."""

MANY = 500
"""Number of files from which the start of processes is worth its seconds."""

SEARCHED = 500
"""Largest number of images of a family among which the nearest to another family are sought."""

PAIR = ["first", "second"]
"""Columns that name the two families of a pair."""

TIMED = 40
"""Number of images that each method is timed on."""

PATIENCE = 20.0
"""Duration, in seconds, after which no further image is timed."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Accuracy and cost of hashes on one set of labelled images, as ``evaluate`` returns it.

    Attributes
    ----------
    methods : DataFrame
        One row per method, the largest recall first:

        method : str
            Method name.
        bits : int
            Length of the hash.
        threshold : int
            Recommended threshold in bits; -1 if equal hashes alone exceed the rate.
        margin : int
            Bits by which the threshold lies below the largest one whose rate on these images meets
            the wanted rate.
        recall, recall_low, recall_high : float
            Share of same-family pairs within the threshold, over all pairs, with its interval.
        fpr, fpr_high : float
            Share of other-family pairs within the threshold, over all pairs, and the upper bound of
            this rate on unseen families.
        auc : float
            Area under the ROC curve.
        ms_per_image : float
            Median time in milliseconds, in one thread, from file to hash; nan if only hashes are
            given.
        bytes : int
            Size of a hash.
    comparisons : DataFrame
        One row per two methods:

        method, against : str
            Two methods; the first has the larger recall.
        difference, low, high : float
            Difference of their recalls, with its interval.
        p : float
            p-value of the hypothesis that the difference is 0.
        p_equivalent : float
            p-value of the hypothesis that the difference is at least
            ``finhash.accuracy.resampling.MARGIN``. All p-values are corrected together (Holm).
    histograms : DataFrame
        One row per method and distance: ``method``, ``distance`` in bits, and the numbers of pairs
        within families, ``same``, and between them, ``other``.
    pairs : DataFrame
        Pairs of families that may show one image, the closest first, at most ``CLOSEST``:

        first, second : str
            Labels of the two families, as given.
        <method> : float
            Share of the image pairs between the two families that this method claims at the wanted
            rate, or at a larger one if the families are few (see ``LOOKED_AT``).
        median : float
            Median over methods, larger than 0.
        verdict : str
            Verdict given on the pair; empty if there is none.
        first_size, second_size : int
            Number of images in each family.
        first_images, second_images : tuple of str
            Paths of images of each family, the nearest to the other family first.
    verdicts : DataFrame
        Verdicts given, with the columns ``first``, ``second`` and ``verdict``.
    images, families : int
        Numbers of images that could be read, and of families.
    fpr : float
        Wanted false positive rate.
    answer : str
        Which method to use at which threshold, in one sentence.
    notes : list of str
        What cannot be told apart, what the set is too small to show, and what was left out.
    preparation : finhash.preparation.Preparation
        What was done to the images before they were hashed.
    """

    methods: pd.DataFrame
    comparisons: pd.DataFrame
    histograms: pd.DataFrame
    pairs: pd.DataFrame
    verdicts: pd.DataFrame
    images: int
    families: int
    fpr: float
    answer: str
    notes: list[str]
    preparation: Preparation = AS_STORED

    def write(self, folder: str | os.PathLike[str], *, command: str = "") -> None:
        """Write the tables, the figures and the page ``index.html`` into a folder.

        Parameters
        ----------
        folder : str or path-like
            Folder for ``methods.csv``, ``comparisons.csv``, ``recall``, ``roc`` and ``distances``
            as PNG and SVG, and ``index.html``, which needs no other file. It is created if missing.
            Each file appears complete or not at all.
        command : str
            Command that the page names as its origin.

        Raises
        ------
        OSError
            If a file cannot be written.
        """
        answer.write(self, Path(folder), command)

    def review(self, path: str | os.PathLike[str]) -> None:
        """Write a page that shows ``pairs`` side by side and saves the reader's verdicts.

        Parameters
        ----------
        path : str or path-like
            HTML file, which needs no other file. It appears complete or not at all.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        shown = [
            Pair(
                row.first,
                row.second,
                row.median,
                row.first_images,
                row.second_images,
                row.first_size,
                row.second_size,
                row.verdict or None,
            )
            for row in self.pairs.itertuples(index=False)
        ]
        on_page = {frozenset((pair.first, pair.second)) for pair in shown}
        rows = self.verdicts.itertuples(index=False, name=None)
        others = [row for row in rows if frozenset(row[:2]) not in on_page]
        write_page(
            path,
            shown,
            title="One image under two names?",
            others=others,
            preparation=self.preparation,
        )


def evaluate(
    images: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | HashTable,
    labels: Sequence[str | int] | None = None,
    *,
    fpr: float = 1e-4,
    methods: Sequence[str] | None = None,
    verdicts: pd.DataFrame | str | os.PathLike[str] | None = None,
    background: str | None = None,
    exif: bool = False,
    max_pixels: int | None = None,
    workers: int = 1,
    progress: bool = True,
    seed: int = 2018,
) -> Evaluation:
    """Find which hash, at which threshold, tells labelled images apart best.

    Two images of one label are a same-family pair, any other two an other-family pair. All pairs
    are counted.

    Parameters
    ----------
    images : sequence of str or path-like, path of a folder, or HashTable
        Image files, the folder that holds them, or their hashes. Files that cannot be read, and
        rows of a table without a hash of each method, are left out and noted.
    labels : sequence of str or int, optional
        Label of each image. By default labels are taken from the paths: the number before the
        underscore if all names are like ``0007_00012.jpg``, else the name of the folder.
    fpr : float, default 1e-4
        Largest acceptable false positive rate, between 0 and 1.
    methods : sequence of str, optional
        Names of hashes in ``finhash.methods.METHODS``, or ``"module:name"``. By default those of
        the table, or all whose packages are installed and that approximate no other.
    verdicts : DataFrame or path, optional
        Verdicts on pairs of families, as ``finhash.accuracy.verdicts.read`` returns or reads them.
        Families judged the same are then counted as one.
    background, exif, max_pixels
        As for ``hash_files``. A table says itself how its images were prepared.
    workers : int, default 1
        Number of processes that hash files and of threads that compare hashes. With more than one,
        scripts must call this function below ``if __name__ == "__main__":``.
    progress : bool, default True
        Whether to show progress bars on stderr.
    seed : int, default 2018
        Seed of the random numbers.

    Returns
    -------
    Evaluation
        Tables by method, by two methods, by distance and by pair of families, with notes.

    Raises
    ------
    ValueError
        If there are fewer than two images, all have one label, no two have the same label, the
        number of labels is not that of images, the paths carry no labels, a method is unknown, the
        verdicts name an unknown family, or ``background``, ``exif`` or ``max_pixels`` is wrong or
        given with a table.
    ImportError
        If a method's package is not installed and the method was asked for by name.

    Notes
    -----
    **Threshold.** It is the largest one whose upper bound of the false positive rate on unseen
    families is at most ``fpr`` (see ``finhash.accuracy.thresholds``). If the set is too small for
    that rule, it is the largest one whose rate on these images is at most ``fpr``; a note says so.

    **Interval.** It comes from half-samples of the families at fixed thresholds (see
    ``finhash.accuracy.resampling``), and is 0 to 1 if fewer than four families have two images.

    **Memory.** It grows with the number of pairs of families of which images match at a rate a
    little above ``fpr``, not with the number of all pairs of images.

    Examples
    --------
    Two families of two hashes; the families differ in all bits and the images in one:

    >>> import numpy as np
    >>> import pyarrow as pa
    >>> from finhash import HashTable
    >>> from finhash.evaluation import evaluate
    >>> hashes = np.array([[0] * 8, [1] + [0] * 7, [255] * 8, [254] + [255] * 7], np.uint8)
    >>> column = pa.array([row.tobytes() for row in hashes], pa.binary(8))
    >>> paths = ["0001_1.jpg", "0001_2.jpg", "0002_1.jpg", "0002_2.jpg"]
    >>> columns = {"path": paths, "dhash64": column, "error": [""] * 4}
    >>> found = evaluate(HashTable(pa.table(columns)), fpr=0.01, progress=False)
    >>> found.methods[["method", "threshold", "recall", "fpr"]]
        method  threshold  recall  fpr
    0  dhash64          1     1.0  0.0
    """
    if not 0 < fpr < 1:
        raise ValueError(f"the false positive rate is {fpr}; it must be between 0 and 1")
    if workers < 1:
        raise ValueError(f"workers is {workers}; it must be at least 1")
    preparation = Preparation(background, exif)
    if isinstance(images, HashTable):
        if preparation != AS_STORED or max_pixels is not None:
            raise ValueError(
                "background, exif and max_pixels are for images that are hashed now, not for a "
                "table; leave them out, or pass the images"
            )
        files, preparation = images.paths, images.preparation
    else:
        files = [os.fspath(path) for path in files_of(images)]
    families = _as_labels(labels, files)
    truths = {AS_LABELLED: families}
    looked_at = _resolved(verdicts, families, files)
    if len(looked_at):
        truths[MERGED] = judged.labellings(families, looked_at)[MERGED]
    truth = list(truths)[-1]
    _check_pairs(truths[truth])
    names, absent = _method_names(images, methods)
    if isinstance(images, HashTable):
        table = images
    else:
        table = _hashed(files, names, preparation, max_pixels, workers, progress)
    table = table.select(names)
    reasons = _reasons(table)
    read = np.array([not reason for reason in reasons], bool)
    failed = [row for row in zip(table.paths, reasons, strict=True) if row[1]]
    if failed:
        table = table.filter(read)
        truths = {key: values[read] for key, values in truths.items()}
        _check_pairs(truths[truth], failed)

    counted = counting.labelled_histograms(table, names, truths, workers, progress=progress)
    number = len(np.unique(truths[AS_LABELLED]))
    near = max(fpr, min(LARGEST_RATE, LOOKED_AT / (number * (number - 1) / 2)))
    tables = _count(table, names, truths, _reaches(counted, near), workers)
    histograms = counted[counted["labels"] == truth].drop(columns="labels").reset_index(drop=True)
    chosen = _thresholds(tables[truth], fpr, seed, progress)
    rows = _rates(histograms, chosen)
    ready = [path for path, done in zip(files, read, strict=True) if done]
    seconds = {} if isinstance(images, HashTable) else _seconds(ready, names, preparation, seed)
    rows["ms_per_image"] = [1000 * seconds.get(name, np.nan) for name in rows["method"]]
    rows["bytes"] = rows["bits"] // 8
    drawn = _draw(tables[truth], chosen["threshold"], fpr, seed, progress)
    sizes = np.unique(truths[truth], return_counts=True)[1]
    several = int((sizes > 1).sum())
    _add_intervals(rows, drawn, several)
    rows = rows.sort_values(["recall", "auc"], ascending=False, kind="stable", ignore_index=True)
    comparisons = _comparisons(drawn, several)
    pairs = _closest(tables[AS_LABELLED], truths[AS_LABELLED], near)
    pairs["verdict"] = _verdicts_on(pairs, looked_at)
    _add_images(pairs, table, rows["method"].iloc[0], truths[AS_LABELLED])
    facts = findings.Facts(
        sizes=sizes,
        merged=number - len(sizes),
        judged=truth == MERGED,
        files=len(files),
        failed=failed,
        absent=absent,
        unpromised=list(chosen.index[~chosen["promised"]]),
        other=int(histograms["other"].sum() // len(names)),
        suspicious=int(((pairs["median"] > 0.5) & (pairs["verdict"] == "")).sum()),
        example=(Path(files[0]).name, str(truths[AS_LABELLED][0])),
    )
    return Evaluation(
        methods=rows,
        comparisons=comparisons,
        histograms=histograms,
        pairs=pairs,
        verdicts=looked_at,
        images=len(table),
        families=len(sizes),
        fpr=fpr,
        answer=findings.answer(rows, fpr, facts.unpromised),
        notes=findings.notes(rows, comparisons, fpr, facts),
        preparation=preparation,
    )


def _as_labels(labels: Sequence[str | int] | None, files: Sequence[str]) -> np.ndarray:
    """Return one label per file, as strings."""
    if len(files) < 2:
        raise ValueError(f"the number of images is {len(files)}; an evaluation needs at least 2")
    if labels is None:
        return given_labels.from_paths(files)
    if len(labels) != len(files):
        raise ValueError(
            f"the number of labels is {len(labels)} and that of images {len(files)}; pass one each"
        )
    for file, label in zip(files, labels, strict=True):
        if label is None or label != label or label == "":
            raise ValueError(f"the label of {file!r} is {label!r}; pass one label per image")
    return np.array([str(label) for label in labels])


def _check_pairs(families: np.ndarray, failed: Sequence[tuple[str, str]] = ()) -> None:
    """Raise ``ValueError`` unless there is a pair within a family and one between families."""
    after = ""
    if failed:
        path, reason = failed[0]
        after = f" after {len(failed)} files without a hash were left out ({path}: {reason})"
    if not len(families):
        raise ValueError(f"the set has no image{after}; give images that can be read")
    names, sizes = np.unique(families, return_counts=True)
    if len(names) == 1:
        raise ValueError(
            f"all {len(families)} images have one label{after}, so no pair belongs to two "
            "families; give images of at least two families"
        )
    if sizes.max() == 1:
        raise ValueError(
            f"all {len(names)} families have one image{after}, so there is no pair within a "
            "family; give at least one family a second image"
        )


def _method_names(
    images: object, wanted: Sequence[str] | None
) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the methods to evaluate, and those left out with the reason."""
    if wanted is not None and not len(wanted):
        raise ValueError("no method is given; name at least one, or leave methods out for all")
    if isinstance(images, HashTable):
        names = images.methods if wanted is None else list(dict.fromkeys(wanted))
        unknown = [name for name in names if name not in images.methods]
        if unknown or not names:
            raise ValueError(
                f"the table has no hashes of {', '.join(unknown) or 'any method'}; it has the "
                f"columns {', '.join(images.arrow.column_names)}"
            )
        return names, []
    if wanted is None:
        compared = [method for method in registry.METHODS.values() if not method.approximates]
        reasons = {method.name: method.missing_package() for method in compared}
        absent = [(name, reason) for name, reason in reasons.items() if reason]
        return [name for name, reason in reasons.items() if not reason], absent
    names = list(dict.fromkeys(registry.resolve(name).name for name in wanted))
    for name in names:
        if reason := registry.get(name).missing_package():
            raise ImportError(reason)
    return names, []


def _hashed(
    files: Sequence[str],
    names: Sequence[str],
    preparation: Preparation,
    max_pixels: int | None,
    workers: int,
    progress: bool,
) -> HashTable:
    """Hash the files with all methods, decoding each once."""
    # A function that was registered in a notebook cannot be sent to another process.
    own = any(name not in registry.BUILT_IN for name in names)
    several = workers > 1 and len(files) >= MANY and not own
    return hash_files(
        files,
        names,
        workers=workers,
        executor="processes" if several else "threads",
        background=preparation.background,
        exif=preparation.exif,
        max_pixels=max_pixels,
        progress=progress,
    )


def _reasons(table: HashTable) -> list[str]:
    """Return why each row of a table cannot be used, its error or a missing hash; empty if it can.

    A row without an error lacks the hash of a method that was added to its folder later.
    """
    reasons = list(table.errors)
    for name in table.methods:
        column = table.arrow[name]
        for row in np.flatnonzero(column.is_null().to_numpy()) if column.null_count else ():
            reasons[row] = reasons[row] or f"the table has no hash by {name}"
    return reasons


def _reaches(counted: pd.DataFrame, fpr: float) -> dict[str, int]:
    """Return the distance up to which each method's pairs between families are needed.

    It is one bit more than the largest threshold that meets the rate under any labelling. The
    threshold by rule is never larger.
    """
    reaches: dict[str, int] = {}
    for (name, _), rows in counted.groupby(["method", "labels"], sort=False):
        radius, _ = rates.at_fpr(rows["same"].to_numpy(), rows["other"].to_numpy(), fpr)
        reaches[name] = max(radius + 1, reaches.get(name, 0))
    return reaches


def _count(
    table: HashTable,
    names: Iterable[str],
    truths: Mapping[str, np.ndarray],
    reaches: Mapping[str, int],
    workers: int,
) -> dict[str, dict[str, PairTable]]:
    """Count pairs by family, for each labelling and method."""
    counts = {
        name: counting.count_pairs(table.hashes(name), truths, reaches[name], workers=workers)
        for name in names
    }
    return {truth: {name: counts[name][truth] for name in counts} for truth in truths}


def _thresholds(
    tables: Mapping[str, PairTable], fpr: float, seed: int, progress: bool
) -> pd.DataFrame:
    """Choose each method's threshold; indexed by method, with margin, bound and ``promised``."""
    ruled = thresholds.recommend(tables, seed, {"": fpr}, progress=progress).set_index("method")
    rows = {}
    for name, table in tables.items():
        if name in ruled.index:
            row = ruled.loc[name]
            rows[name] = int(row["threshold"]), int(row["margin"]), row["fpr_high"], True
        else:
            known = table.rates()[0]
            threshold = thresholds.largest(known, fpr, thresholds.attainable(table))
            bound = thresholds.upper_bound(table)[threshold] if threshold >= 0 else 0.0
            rows[name] = threshold, 0, min(1.0, bound), False
    columns = ["threshold", "margin", "fpr_high", "promised"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _rates(histograms: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of ``Evaluation.methods`` that need only counts and thresholds."""
    rows = []
    for name, counts in histograms.groupby("method", sort=False):
        same, other = counts["same"].to_numpy(), counts["other"].to_numpy()
        threshold, margin, high, _ = chosen.loc[name]
        within = slice(0, threshold + 1)
        rows.append(
            {
                "method": name,
                "bits": len(counts) - 1,
                "threshold": threshold,
                "margin": margin,
                "recall": same[within].sum() / same.sum(),
                "recall_low": np.nan,
                "recall_high": np.nan,
                "fpr": other[within].sum() / other.sum(),
                "fpr_high": high,
                "auc": rates.auc(same, other),
            }
        )
    return pd.DataFrame(rows)


def _seconds(
    files: Sequence[str], names: Sequence[str], preparation: Preparation, seed: int
) -> dict[str, float]:
    """Return each method's median time per image in one thread, in seconds.

    The images are spread over the set and timed in random order, all methods in turn on each.
    """
    step = max(1, len(files) // TIMED)
    spread = np.random.default_rng(seed).permutation(list(files[::step][:TIMED]))
    hashes = {name: registry.get(name).hash for name in names}
    for call in hashes.values():
        call(preparation.apply(str(spread[0])))
    taken: dict[str, list[float]] = {name: [] for name in names}
    start = time.perf_counter()
    for file in map(str, spread):
        for name, call in hashes.items():
            begin = time.perf_counter()
            call(preparation.apply(file))
            taken[name].append(time.perf_counter() - begin)
        if time.perf_counter() - start > PATIENCE:
            break
    return {name: float(np.median(times)) for name, times in taken.items()}


def _draw(
    tables: Mapping[str, PairTable],
    radii: Mapping[str, int],
    fpr: float,
    seed: int,
    progress: bool,
) -> pd.DataFrame:
    """Draw half-samples of the families, enough for p-values to stay small when corrected."""
    tests = len(tables) * (len(tables) - 1)  # two p-values for each two methods
    fixed = {(name, fpr): int(radii[name]) for name in tables}
    draws = max(2000, 100 * tests)
    return resampling.resample(tables, [fpr], draws, seed, fixed, progress=progress)


def _add_intervals(rows: pd.DataFrame, drawn: pd.DataFrame, several: int) -> None:
    """Fill in the intervals of recall, given the number of families of several images."""
    found = resampling.intervals(drawn).set_index("method").loc[rows["method"]]
    rows["recall_low"] = np.minimum(found["low"].to_numpy(), rows["recall"])
    rows["recall_high"] = np.maximum(found["high"].to_numpy(), rows["recall"])
    if several < FEWEST:
        rows[["recall_low", "recall_high"]] = 0.0, 1.0


def _comparisons(drawn: pd.DataFrame, several: int) -> pd.DataFrame:
    """Compare every two methods, given the number of families of several images."""
    table = resampling.every_pair(drawn).drop(columns="target")
    # No p-value can be smaller than one over the number of different halves.
    smallest = min(1.0, len(table) * 2 / comb(several, several // 2))
    table[["p", "p_equivalent"]] = table[["p", "p_equivalent"]].clip(lower=smallest)
    if several < FEWEST:
        table[["low", "high"]] = -1.0, 1.0
    return table


def _closest(tables: Mapping[str, PairTable], families: np.ndarray, fpr: float) -> pd.DataFrame:
    """Return the closest pairs of families, with their labels instead of ranks."""
    pairs = judged.closest(tables, fpr).head(CLOSEST)
    pairs = pairs[pairs["median"] > 0]
    names = np.unique(families)
    return pairs.assign(first=names[pairs["first"]], second=names[pairs["second"]])


def _add_images(pairs: pd.DataFrame, table: HashTable, method: str, families: np.ndarray) -> None:
    """Add to the pairs of families their sizes and, by this method's hashes, nearest images."""
    paths, hashes = np.array(table.paths, object), table.hashes(method)
    members = {name: np.flatnonzero(families == name) for name in np.unique(pairs[PAIR])}
    for own, other in (PAIR, PAIR[::-1]):
        pairs[f"{own}_size"] = [len(members[name]) for name in pairs[own]]
        nearest = []
        for mine, theirs in zip(pairs[own], pairs[other], strict=True):
            rows = members[mine][:SEARCHED]
            _, distance = hamming.nearest(hashes[rows], hashes[members[theirs][:SEARCHED]], 1)
            order = np.argsort(distance[:, 0], kind="stable")[:SHOWN]
            nearest.append(tuple(paths[rows[order]]))
        pairs[f"{own}_images"] = nearest


def _resolved(
    verdicts: pd.DataFrame | str | os.PathLike[str] | None,
    families: np.ndarray,
    files: Sequence[str],
) -> pd.DataFrame:
    """Return the verdicts with the labels that they mean; no row if there are none."""
    if verdicts is None:
        return pd.DataFrame(columns=list(COLUMNS))
    given = judged.read(verdicts) if isinstance(verdicts, str | os.PathLike) else verdicts
    return judged.resolve(families, given, files)


def _verdicts_on(pairs: pd.DataFrame, verdicts: pd.DataFrame) -> list[str]:
    """Return the verdict on each pair of families, or an empty string."""
    rows = verdicts.itertuples(index=False, name=None)
    known = {frozenset((first, second)): verdict for first, second, verdict in rows}
    both = pairs[PAIR].itertuples(index=False, name=None)
    return [known.get(frozenset(pair), "") for pair in both]
