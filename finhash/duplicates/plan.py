"""The plan: which images of each family to keep, and which are superfluous. It changes nothing."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from finhash import cluster
from finhash.duplicates.facts import File, Folders, check_names, facts_in, look_up
from finhash.hamming.words import check_radius
from finhash.methods import MethodName
from finhash.orientations import ORIGINAL, Which, of_hashes
from finhash.tables.hash_table import HashTable
from finhash.thresholds import threshold

Keep = Literal["largest", "oldest", "newest", "first"]
"""Rules for the image to keep."""

Role = Literal["keep", "superfluous", "left alone"]
"""What to do with an image."""

ORDERS: dict[Keep, Callable[[File], tuple[Any, ...]]] = {
    "largest": lambda file: (-file.pixels[0] * file.pixels[1], -file.status.st_size, file.path),
    "oldest": lambda file: (file.status.st_mtime_ns, file.path),
    "newest": lambda file: (-file.status.st_mtime_ns, file.path),
    "first": lambda file: (file.row,),
}
"""Order in which the images of a family are considered; the first one is kept."""


@dataclass(frozen=True)
class Member:
    """An image of a family."""

    path: str
    """Path, as it stands in the table."""

    role: Role
    """What to do with the image."""

    file: File | None = None
    """The file; None if it cannot be used."""

    kept: File | None = None
    """If the image is superfluous, the nearest image that is kept."""

    distance: int | None = None
    """Hamming distance to ``kept``, in bits."""

    note: str = ""
    """Why the image is left alone."""

    orientation: str | None = None
    """If images were compared in several orientations, and this one is superfluous: the one in
    which ``kept`` is nearest to it."""


@dataclass(frozen=True)
class Family:
    """A family of near-duplicates."""

    number: int
    """Number of the family: 0 for the largest one of the table."""

    members: list[Member]
    """Images: each one that is kept, followed by its superfluous ones, then those left alone."""

    @property
    def superfluous(self) -> list[Member]:
        """Images that need not be kept."""
        return [member for member in self.members if member.role == "superfluous"]

    @property
    def freed(self) -> int:
        """Bytes that deleting the superfluous files would free.

        Hard links free their bytes only together.
        """
        files = [member.file for member in self.superfluous if member.file]
        names = Counter(file.inode for file in files)
        content = {file.inode: file.status for file in files}
        return sum(
            status.st_size for inode, status in content.items() if names[inode] >= status.st_nlink
        )


@dataclass(frozen=True)
class Plan:
    """What to keep and what is superfluous; ``find_duplicates`` makes it."""

    families: list[Family]
    """Families that have a superfluous image, the largest first."""

    radius: int
    """Threshold, in bits."""

    folder: str
    """Deepest folder that holds all images of the table."""

    left_alone: list[Member] = field(default_factory=list)
    """Images of all families, also of those not listed, that were left alone."""

    @property
    def superfluous(self) -> list[Member]:
        """Superfluous images of all families."""
        return [member for family in self.families for member in family.superfluous]

    @property
    def freed(self) -> int:
        """Bytes that deleting the superfluous files would free."""
        return sum(family.freed for family in self.families)

    def spare(self, why: Callable[[Member], str]) -> "Plan":
        """Return a plan in which some superfluous images are left alone.

        Parameters
        ----------
        why : callable
            Function of a superfluous image that returns why it is left alone, or an empty string
            if it is not.

        Returns
        -------
        Plan
            The new plan. Families that no longer have a superfluous image are not listed.
        """
        families, left = [], list(self.left_alone)
        for family in self.families:
            notes = {id(member): why(member) for member in family.superfluous}
            members = [
                Member(member.path, "left alone", member.file, note=note)
                if (note := notes.get(id(member)))
                else member
                for member in family.members
            ]
            left += [
                member
                for member, old in zip(members, family.members, strict=True)
                if member is not old
            ]
            families.append(Family(family.number, sorted(members, key=_is_left)))
        listed = [family for family in families if family.superfluous]
        return replace(self, families=listed, left_alone=left)


def find_duplicates(
    table: HashTable,
    radius: int | None = None,
    *,
    method: MethodName | str = "find",
    by: cluster.Method = "components",
    keep: Keep = "largest",
    references: Sequence[str | os.PathLike[str]] = (),
    orientations: Which | None = None,
    workers: int = 1,
    progress: bool = False,
) -> Plan:
    """Choose which images of each family to keep, so that every other one is close to a kept one.

    The images of a family are considered in the order of the rule. An image is kept unless it is
    within the threshold of an image that is kept already. A superfluous image is therefore never
    farther than the threshold from the image that is kept in its place, even if the family is a
    long chain, of which several images are then kept.

    A file is left alone if it is missing or cannot be read, if it has changed since it was hashed,
    if it is a symbolic link or a link of the table points to it, or if it is the same file as
    another one under another spelling or by a hard link. Whether it has changed is known if the
    table has the columns ``bytes`` and ``modified``.

    Parameters
    ----------
    table : HashTable
        Hashes of files. Relative paths are looked up from the current folder.
    radius : int, optional
        Threshold, in bits. By default that for clusters which nobody reviews
        (``finhash.thresholds``).
    method : str, default "find"
        Column of hashes to compare.
    by : {"components", "spheres"}, default "components"
        Families, as in ``finhash.cluster.families``. Spheres divide some families, so that fewer
        images are superfluous.
    keep : {"largest", "oldest", "newest", "first"}, default "largest"
        Rule for the image to keep: most pixels, then most bytes; oldest or newest modification; or
        first row of the table. Among equals, the first path in alphabetical order is kept.
    references : sequence of str or path-like, optional
        Folders whose images are all kept.
    orientations : {"mirror", "rotate", "all"}, optional
        Orientations in which images are compared, as in ``finhash.orientations.of_hashes``: images
        that are mirrored, turned by quarter turns, or both are then superfluous too. The distance
        of two images is the smallest one over the orientations. Needs ``by="components"``.
    workers : int, default 1
        Threads.
    progress : bool, default False
        Whether to show a progress bar on stderr, if that is a terminal.

    Returns
    -------
    Plan
        Families with the role of each image.

    Raises
    ------
    KeyError
        If the table has no column ``method``, or ``method`` has no default threshold.
    ValueError
        If ``keep``, ``by`` or ``orientations`` is unknown, ``radius`` is not between 0 and the
        number of bits, the table has no image in a folder of ``references``, or ``orientations``
        are given with ``by="spheres"`` or a method whose hashes cannot be turned.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from finhash import hash_files
    >>> folder = tempfile.TemporaryDirectory()
    >>> image = Image.radial_gradient("L")
    >>> image.save(f"{folder.name}/large.png")
    >>> image.resize((250, 250)).save(f"{folder.name}/small.png")
    >>> plan = find_duplicates(hash_files(folder.name, progress=False))
    >>> for member in plan.families[0].members:
    ...     print(os.path.basename(member.path), member.role, member.distance)
    large.png keep None
    small.png superfluous 14
    >>> folder.cleanup()
    """
    if keep not in ORDERS:
        raise ValueError(f"unknown rule {keep!r}; choose one of {', '.join(ORDERS)}")
    if radius is None:
        radius = threshold("cluster", method)
    hashed = table.filter(table.arrow[method].is_valid().to_numpy())
    hashes = hashed.hashes(method)
    radius = check_radius(radius, 8 * hashes.shape[1])
    folders = Folders()
    within = _Within(references, folders)
    written_in = {os.path.dirname(path) for path in hashed.paths}
    within.check(written_in)
    turned = of_hashes(hashes, orientations, method) if orientations else {ORIGINAL: hashes}
    labels = cluster.families(
        hashes, radius, by, turned=turned if orientations else None, workers=workers
    )
    sizes = np.bincount(labels)
    families = [family for family in _grouped(labels, sizes) if len(family) > 1]
    files, notes = _look_up(
        hashed, np.concatenate([*families, np.empty(0, int)]), folders, progress
    )
    names = check_names(files.values())
    notes |= names.others
    listed: list[Family] = []
    left: list[Member] = []
    for number, rows in enumerate(families):
        alone = [Member(hashed.paths[k], "left alone", note=notes[k]) for k in rows if k in notes]
        ranked = sorted((files[k] for k in rows if k not in notes), key=ORDERS[keep])
        decided = _decide(ranked, turned, radius, within, names.fixed)
        family = Family(number, sorted(decided + alone, key=_is_left))
        left += [member for member in family.members if member.role == "left alone"]
        if family.superfluous:
            listed.append(family)
    common = {os.path.abspath(folder) for folder in written_in}
    return Plan(listed, radius, os.path.commonpath(common) if common else os.curdir, left)


class _Nearest(NamedTuple):
    """For each file of a family, the nearest kept file."""

    distance: NDArray[np.int64]
    kept: NDArray[np.int64]
    turn: NDArray[np.int64]
    """Position of the orientation in which the kept file is nearest."""


class _Within:
    """Tell which files are in a folder of references."""

    def __init__(self, references: Iterable[str | os.PathLike[str]], resolved: Folders) -> None:
        self.references = {os.path.realpath(folder): os.fspath(folder) for folder in references}
        self.resolved = resolved
        self.known: dict[str, bool] = {}

    def check(self, folders: Iterable[str]) -> None:
        """Raise ``ValueError`` if a reference holds none of these folders."""
        if not self.references:
            return
        real = {self.resolved[folder] for folder in folders}
        for reference, given in self.references.items():
            if not any(_contains(reference, folder) for folder in real):
                raise ValueError(
                    f"the table has no image in the reference folder {given}: correct its name, or "
                    "hash its images too"
                )

    def __contains__(self, file: File) -> bool:
        folder = file.entry[0]
        if folder not in self.known:
            self.known[folder] = any(_contains(each, folder) for each in self.references)
        return self.known[folder]


def _contains(outer: str, inner: str) -> bool:
    """Return whether a folder is another one or in it; both are without symbolic links."""
    return inner == outer or inner.startswith(os.path.join(outer, ""))


def _grouped(labels: NDArray[np.int32], sizes: NDArray[np.int64]) -> Iterable[NDArray[np.int64]]:
    """Return the rows of each family, numbered as by ``finhash cluster``: the largest first."""
    rank = np.empty(len(sizes), np.int64)
    largest = np.argsort(-sizes, kind="stable")
    rank[largest] = np.arange(len(sizes))
    order = np.argsort(rank[labels], kind="stable")
    return np.split(order, np.cumsum(sizes[largest])[:-1])


def _look_up(
    table: HashTable, rows: NDArray[np.int64], folders: Folders, progress: bool
) -> tuple[dict[int, File], dict[int, str]]:
    """Return the files of rows, and the reasons of those that must be left alone."""
    files: dict[int, File] = {}
    notes: dict[int, str] = {}
    # In the order of the table, which decides which spelling of a path counts.
    ordered = np.sort(rows).tolist()
    known = zip(ordered, facts_in(table, ordered), strict=True)
    shown = tqdm(
        known,
        total=len(ordered),
        desc="looking at files",
        unit="file",
        leave=False,
        disable=None if progress else True,  # None: unless stderr is a terminal
    )
    for row, facts in shown:
        found = look_up(row, table.paths[row], facts, folders)
        if isinstance(found, File):
            files[row] = found
        else:
            notes[row] = found
    return files, notes


def _decide(
    ranked: Sequence[File],
    turned: Mapping[str, NDArray[np.uint8]],
    radius: int,
    references: _Within,
    fixed: dict[int, str],
) -> list[Member]:
    """Return the images of a family with their roles: each kept one, then its superfluous ones.

    ``turned`` holds the hashes of all images in each orientation.
    """
    rows = [file.row for file in ranked]
    own = np.stack([hashes[rows] for hashes in turned.values()])
    zeros = np.zeros(len(ranked), int)
    nearest = _Nearest(np.full(len(ranked), 8 * own.shape[-1] + 1), zeros, zeros.copy())
    orientations = list(turned) if len(turned) > 1 else [None]
    kept = [k for k, file in enumerate(ranked) if file in references]
    for k in kept:
        _keep(k, own, nearest)
    for k in range(len(ranked)):
        if nearest.distance[k] > radius:
            kept.append(k)
            _keep(k, own, nearest)
    inodes = {ranked[k].inode: ranked[k] for k in reversed(kept)}
    place = {k: position for position, k in enumerate(kept)}
    members: list[tuple[tuple[int, ...], Member]] = []
    for k, file in enumerate(ranked):
        center, distance = int(nearest.kept[k]), int(nearest.distance[k])
        note = fixed.get(file.row, "")
        if k not in place and file.inode in inodes:
            note = f"a hard link to the file {inodes[file.inode].path}, which is kept"
        if k in place:
            members.append(((place[k], -1), Member(file.path, "keep", file)))
        elif note:
            members.append(((len(kept), k), Member(file.path, "left alone", file, note=note)))
        else:
            turn = orientations[nearest.turn[k]]
            member = Member(
                file.path, "superfluous", file, ranked[center], distance, orientation=turn
            )
            members.append(((place[center], distance, k), member))
    return [member for _, member in sorted(members, key=lambda pair: pair[0])]


def _keep(k: int, turned: NDArray[np.uint8], nearest: _Nearest) -> None:
    """Keep an image: for some others it may be the nearest kept one.

    ``turned`` holds the hashes of the family, shape ``(orientations, images, bits / 8)``; the first
    orientation is that of the images as they are.
    """
    far = np.bitwise_count(turned[0] ^ turned[:, k, None])
    distances = far.sum(axis=2, dtype=np.int64)
    turn = distances.argmin(axis=0)
    distance = distances.min(axis=0)
    nearer = distance < nearest.distance
    nearest.distance[nearer] = distance[nearer]
    nearest.kept[nearer] = k
    nearest.turn[nearer] = turn[nearer]


def _is_left(member: Member) -> bool:
    """Return whether an image is left alone; sorts these to the end."""
    return member.role == "left alone"
