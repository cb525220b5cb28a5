"""Verdicts on pairs of families: whether both families show the same image.

Hashes cannot tell a false match from a wrong label. If two families show one image, their pairs of
images match rightly but count as false, so somebody has to look at the closest pairs of families.
``closest`` ranks these pairs, and the page of ``finhash.pages.review`` shows them and saves the
verdicts in the format of ``finhash.accuracy.verdict_file``. ``read`` reads the saved file, and
``labellings`` merges the families accordingly.
"""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from finhash.accuracy import rates
from finhash.accuracy.verdict_file import COLUMNS, read_rows

if TYPE_CHECKING:  # whoever only reads verdicts should not import the code that counts
    from finhash.accuracy.counting import PairTable


def read(path: str | os.PathLike[str]) -> pd.DataFrame:
    r"""Read verdicts from a CSV file with the columns first, second and verdict.

    Further columns, blank lines, spaces around values and capitals in verdicts are ignored.

    Parameters
    ----------
    path : str or path-like
        CSV file in UTF-8 with a header, such as the page of ``finhash.pages.review`` saves.

    Returns
    -------
    DataFrame
        One row per verdict, in the order of the file:

        first, second : str
            Two families. Each is given by its name or number, or by the path or file name of one
            of its images.
        verdict : str
            ``"same"``, ``"variant"`` or ``"different"``.

    Raises
    ------
    ValueError
        If the file is not a CSV file in UTF-8, a column or a value is missing, or a verdict is
        unknown. The message gives the file, the line and the value.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from finhash.accuracy import verdicts
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = Path(folder.name, "verdicts.csv")
    >>> _ = file.write_text("first,second,verdict\n0085,0086,same\n0085,0090,Different\n")
    >>> verdicts.read(file)
      first second    verdict
    0  0085   0086       same
    1  0085   0090  different
    >>> folder.cleanup()
    """
    rows = [row[: len(COLUMNS)] for row in read_rows(path)]
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)


def closest(tables: Mapping[str, "PairTable"], target: float) -> pd.DataFrame:
    """Rank pairs of families by the share of their pairs of images that are claimed.

    Parameters
    ----------
    tables : mapping of str to PairTable
        Counts of each method, all of the same families; at least one method.
    target : float
        False positive rate. It determines each method's radius, which is at most the table's
        ``reach``.

    Returns
    -------
    DataFrame
        One row per pair of families of which any method claims a pair of images, sorted by
        ``median`` from high to low; no row if nothing is claimed:

        first, second : int
            Ranks of the two families among those counted, from 0. They are not the families
            themselves, unless these are 0, 1, 2, ...
        <method> : float
            Share of the image pairs between the two families within the method's radius. One
            column per method, named after it.
        median : float
            Median over methods; near 1 if the two families show one image.

    Examples
    --------
    Families 5 and 6 differ in one bit, family 9 in all bits from the first:

    >>> import numpy as np
    >>> from finhash.accuracy import verdicts
    >>> from finhash.accuracy.counting import count_pairs
    >>> hashes = np.zeros((6, 8), np.uint8)
    >>> hashes[2:4, 0], hashes[4:] = 1, 255
    >>> families = np.array([5, 5, 6, 6, 9, 9])
    >>> table = count_pairs(hashes, {"": families}, reach=20)[""]
    >>> verdicts.closest({"find": table}, target=0.4)
       first  second  find  median
    0      0       1   1.0     1.0
    """
    shares = pd.DataFrame({name: _shares(table, target) for name, table in tables.items()})
    shares = shares.fillna(0.0)
    shares["median"] = shares.median(axis=1)
    return shares.sort_values("median", ascending=False).reset_index()


def _shares(table: "PairTable", target: float) -> pd.Series:
    """Return the share claimed of the image pairs of each two families, indexed by their ranks."""
    with np.errstate(invalid="ignore"):  # recall, which is not used, may be 0 / 0
        radius, _ = rates.at_rate(*table.rates(), target)
    within, number = table.distance <= radius, len(table.sizes)
    cells = table.first[within] * number + table.second[within]
    pairs, places = np.unique(cells, return_inverse=True)
    a, b = np.divmod(pairs, number)
    shares = np.bincount(places, table.count[within]) / (table.sizes[a] * table.sizes[b])
    return pd.Series(shares, pd.MultiIndex.from_arrays([a, b], names=["first", "second"]))


def resolve(
    labels: ArrayLike,
    verdicts: pd.DataFrame,
    paths: Sequence[str | os.PathLike[str]] | None = None,
    *,
    missing: Literal["raise", "ignore"] = "raise",
) -> pd.DataFrame:
    """Return verdicts with the families that their values mean, one row per pair of families.

    Parameters
    ----------
    labels : array of int or str, shape (n,)
        Family of each image.
    verdicts : DataFrame
        Columns ``first``, ``second`` and ``verdict``, as from ``read``. A value is a family, whose
        number may have leading zeros or lack them, or else an image: its path, the end of its path
        or its file name.
    paths : sequence of str or path-like, shape (n,), optional
        Path of each image; needed if values are images.
    missing : {"raise", "ignore"}
        What to do with a value that is neither a family nor an image: raise an error, or leave out
        its row. ``"ignore"`` serves a part of a set whose other families were judged too.

    Returns
    -------
    DataFrame
        One row per pair of two families, in the order of ``verdicts``. The last verdict on a pair
        counts, in whichever order its families stand:

        first, second : int or str
            Two families, as in ``labels``.
        verdict : str
            Verdict on the pair.

    Raises
    ------
    ValueError
        If a value may mean several families, or, unless ``missing`` is ``"ignore"``, none.

    Examples
    --------
    >>> import pandas as pd
    >>> from finhash.accuracy import verdicts
    >>> rows = [("0085", "86", "different"), ("0086_3.jpg", "85", "same")]
    >>> given = pd.DataFrame(rows, columns=["first", "second", "verdict"])
    >>> verdicts.resolve([85, 86], given, ["set/0085_1.jpg", "set/0086_3.jpg"])
       first  second verdict
    0     85      86    same
    """
    names, ranks = np.unique(np.asarray(labels), return_inverse=True)
    families = _Families(names, ranks, paths)
    judged: dict[tuple[int, int], str] = {}
    for first, second, verdict in verdicts[list(COLUMNS)].itertuples(index=False):
        a, b = families.find(str(first)), families.find(str(second))
        if a is None or b is None:
            if missing == "ignore":
                continue
            raise ValueError(
                f"the verdicts name {str(first if a is None else second)!r}, which is neither a "
                f"family nor an image of this set; write a family, for example {str(names[0])!r}, "
                "or the path of an image"
            )
        if a != b:
            pair = min(a, b), max(a, b)
            judged.pop(pair, None)
            judged[pair] = verdict
    found = np.array(list(judged), int).reshape(-1, 2)
    columns = names[found[:, 0]], names[found[:, 1]], list(judged.values())
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


class _Families:
    """The families of a set, found by their names or by their images."""

    def __init__(
        self,
        names: np.ndarray,
        ranks: np.ndarray,
        paths: Sequence[str | os.PathLike[str]] | None,
    ) -> None:
        self.exact = {str(name): rank for rank, name in enumerate(names)}
        self.plain: dict[str, set[int]] = defaultdict(set)
        for name, rank in self.exact.items():
            self.plain[_plain(name)].add(rank)
        self.images = [] if paths is None else list(zip(map(Path, paths), ranks, strict=True))

    @cached_property
    def by_file_name(self) -> dict[str, list[tuple[Path, int]]]:
        """Images by file name, as paths with the ranks of their families."""
        found: dict[str, list[tuple[Path, int]]] = defaultdict(list)
        for path, rank in self.images:
            found[path.name].append((path, int(rank)))
        return found

    def find(self, value: str) -> int | None:
        """Return the rank of the family that a value means, or None if it means no family."""
        if value in self.exact:
            return self.exact[value]
        found = self.plain.get(_plain(value)) or self._with_image(Path(value))
        if len(found) > 1:
            raise ValueError(
                f"the verdicts name {value!r}, which may mean {len(found)} families; "
                "write the family as in the labels, or more of the image's path"
            )
        return next(iter(found), None)

    def _with_image(self, end: Path) -> set[int]:
        """Return the ranks of the families with an image whose path ends so."""
        images = self.by_file_name.get(end.name, [])
        parts = end.parts
        return {rank for path, rank in images if path.absolute().parts[-len(parts) :] == parts}


def _plain(name: str) -> str:
    """Return a family's name without surrounding spaces, or its number without leading zeros."""
    name = name.strip()
    return str(int(name)) if name.isdecimal() else name


def labellings(
    labels: ArrayLike,
    verdicts: pd.DataFrame,
    paths: Sequence[str | os.PathLike[str]] | None = None,
    *,
    missing: Literal["raise", "ignore"] = "raise",
) -> dict[str, np.ndarray]:
    """Return the families under up to three labellings, which differ in the families merged.

    Parameters
    ----------
    labels, verdicts, paths, missing
        As in ``resolve``.

    Returns
    -------
    dict of str to array of shape (n,)
        ``"as labelled"``: the labels given. Two more labellings, of type int, follow if there is a
        verdict. ``"merged"``: families judged the same are one family. ``"merged with variants"``:
        so are families of variants of one image.

    Raises
    ------
    ValueError
        As in ``resolve``.

    Examples
    --------
    >>> import pandas as pd
    >>> from finhash.accuracy import verdicts
    >>> rows = [("cat", "kitten", "same"), ("dog", "cat", "variant")]
    >>> given = pd.DataFrame(rows, columns=["first", "second", "verdict"])
    >>> truths = verdicts.labellings(["cat", "dog", "kitten"], given)
    >>> for name, families in truths.items():
    ...     print(name, families.tolist())
    as labelled ['cat', 'dog', 'kitten']
    merged [0, 1, 0]
    merged with variants [0, 0, 0]
    """
    labels = np.asarray(labels)
    truths = {"as labelled": labels}
    if verdicts.empty:
        return truths
    pairs = resolve(labels, verdicts, paths, missing=missing)
    kinds = {"merged": ["same"], "merged with variants": ["same", "variant"]}
    both = {
        key: merged(labels, pairs.loc[pairs["verdict"].isin(kind)]) for key, kind in kinds.items()
    }
    return truths | both


def merged(labels: ArrayLike, pairs: pd.DataFrame) -> np.ndarray:
    """Return labels in which listed pairs of families are one family.

    Merging is transitive: if A is listed with B, and B with C, all three become one family, even if
    A and C were judged different.

    Parameters
    ----------
    labels : array of int or str, shape (n,)
        Family of each image.
    pairs : DataFrame
        Columns ``first`` and ``second``: families, as in ``labels``. Pairs with a family that has
        no image are ignored.

    Returns
    -------
    int array of shape (n,)
        Merged family of each image, numbered from 0.

    Examples
    --------
    >>> import pandas as pd
    >>> from finhash.accuracy import verdicts
    >>> pairs = pd.DataFrame({"first": [3, 9], "second": [8, 99]})
    >>> verdicts.merged([3, 5, 8, 9], pairs).tolist()
    [0, 1, 0, 2]
    """
    names, ranks = np.unique(np.asarray(labels), return_inverse=True)
    links = ranks_of(pairs, names)
    graph = coo_array((np.ones(len(links)), links.T), (len(names), len(names)))
    numbers: np.ndarray = connected_components(graph, directed=False)[1]
    return numbers[ranks]


def ranks_of(pairs: pd.DataFrame, names: np.ndarray) -> np.ndarray:
    """Return pairs of families as positions in ``names``, without pairs of other families.

    Parameters
    ----------
    pairs : DataFrame
        Columns ``first`` and ``second``: families, as in ``names``.
    names : array of int or str, shape (families,)
        Distinct families.

    Returns
    -------
    int array of shape (kept pairs, 2)
        Positions in ``names``.

    Examples
    --------
    >>> import pandas as pd
    >>> from finhash.accuracy import verdicts
    >>> pairs = pd.DataFrame({"first": [3, 9], "second": [8, 99]})
    >>> verdicts.ranks_of(pairs, np.array([3, 5, 8, 9])).tolist()
    [[0, 2]]
    """
    index = pd.Index(names)
    ranks = np.column_stack(
        [index.get_indexer(pd.Index(pairs[name])) for name in ("first", "second")]
    )
    return ranks[(ranks >= 0).all(axis=1)]
