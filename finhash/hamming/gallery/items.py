"""Packed hashes of whatever a client has: images, files, hashes as text or as objects."""

import os
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from finhash.hamming.words import (
    Packed,
    check_lengths,
    check_methods,
    check_no_table,
    is_packed,
    length,
)
from finhash.images import Source


class HashObject(Protocol):
    """An object that holds the bits of a hash, as ``imagehash.ImageHash`` does."""

    hash: NDArray[Any]


Item = Source | HashObject | NDArray[Any]
"""An image as in ``finhash.find_hash``, or a hash: an ``ImageHash``, hex digits or an array."""


def pack_all(items: Any, method: str | None, bits: int) -> NDArray[np.uint8]:  # noqa: ANN401
    """Return the hashes of one item or several, ``uint8 [n, bits / 8]``; see ``pack``.

    A gallery, or an array of two dimensions and dtype ``uint8``, holds packed hashes.
    """
    if isinstance(items, Packed):
        check_methods(method, items.method)
        items = items.rows.view(np.uint8)
    if is_packed(items):
        check_lengths(bits, length(items))
        return np.ascontiguousarray(items)
    if not isinstance(items, list | tuple):
        items = [items]
    packed = np.empty((len(items), bits // 8), np.uint8)
    for k, item in enumerate(items):
        try:
            packed[k] = pack(item, method, bits)
        except Exception as error:
            error.add_note(f"This is item {k} of {len(items)}; nothing was added.")
            raise
    return packed


def pack(item: Any, method: str | None, bits: int) -> NDArray[np.uint8]:  # noqa: ANN401
    """Return the packed hash of an item.

    Parameters
    ----------
    item : image, hash or hexadecimal digits
        A source as in ``finhash.find_hash``, which is hashed. Or a hash of ``bits`` bits: an
        ``imagehash.ImageHash``, an array of single bits, packed bits of dtype ``uint8`` and shape
        ``(bits / 8,)``, or a string of exactly ``bits / 4`` hexadecimal digits. Any other string is
        a path.
    method : str or None
        Name of the method that hashes images.
    bits : int
        Length of the hash.

    Returns
    -------
    ndarray of uint8, shape (bits / 8,)
        Packed hash.

    Raises
    ------
    ValueError
        If a hash has another length, or if an image is passed and ``method`` is None.
    TypeError
        If the item has another type.
    OSError
        If an image cannot be read.

    Examples
    --------
    >>> pack("0f" * 8, None, 64)
    array([15, 15, 15, 15, 15, 15, 15, 15], dtype=uint8)
    """
    if isinstance(item, str) and len(item) == bits // 4 and _is_hex(item):
        return np.frombuffer(bytes.fromhex(item), np.uint8)
    check_no_table(item)
    if isinstance(item, np.ndarray) and (
        item.ndim == 1
        or item.dtype == bool
        or (item.ndim == 2 and item.size == bits and item.dtype.kind in "iu")
    ):
        return _from_array(item, bits)
    held = getattr(item, "hash", None)
    if isinstance(held, np.ndarray):  # the item is an ImageHash
        return _from_array(held, bits)
    if item is None or isinstance(item, bool | int | float | list | tuple | dict | set):
        raise TypeError(
            f"cannot hash {item!r} of type {type(item).__name__}; pass an image (path, bytes, open "
            "file or PIL image) or a hash (ImageHash, hexadecimal digits or array)"
        )
    if method is None:
        raise ValueError(
            "cannot hash an image for a gallery that does not know the method of its hashes; make "
            'the gallery with its name, as in Gallery(hashes, method="find"), or pass a hash'
            + _about_text(item, bits)
        )
    from finhash import methods

    try:
        packed = methods.get(method).hash(item)
    except FileNotFoundError as error:
        if isinstance(item, str):
            error.add_note("A string is a path" + _about_text(item, bits))
        raise
    check_lengths(bits, 8 * len(packed))
    return packed


def _from_array(array: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Return the packed hash that an array of packed or single bits holds."""
    if array.dtype == np.uint8 and array.shape == (bits // 8,):
        return array
    if array.size == bits and array.dtype.kind in "biu" and ((array == 0) | (array == 1)).all():
        return np.packbits(array.astype(bool))
    raise ValueError(
        f"the hash has dtype {array.dtype} and shape {array.shape}; pass {bits // 8} packed bytes "
        f"(uint8), or {bits} bits that are 0 or 1"
    )


def _is_hex(text: str) -> bool:
    """Return whether all characters are hexadecimal digits."""
    return all(one in "0123456789abcdefABCDEF" for one in text)


def _about_text(item: object, bits: int) -> str:
    """Return what distinguishes a hash from a path, if the item is a string."""
    if not isinstance(item, str | os.PathLike):
        return ""
    return f"; a string is a hash if it has exactly {bits // 4} hexadecimal digits"
