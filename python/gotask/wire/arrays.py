"""Arrays of numbers as a MessagePack extension, see "Arrays" in docs/protocol.md: numpy's, without a step per element.

numpy is imported when an array arrives. One that is to be sent has imported it.
"""

from __future__ import annotations

import sys
from math import prod
from struct import Struct
from typing import Any

# The extension's type.
ARRAY = 1

# Bytes. A larger array goes from its own memory to where it is sent, without a copy.
LARGE = 64 * 1024

# MessagePack's bound.
_MAX_BYTES = 2**32 - 1

# Bytes of an element by the name of its type, which is numpy's.
_SIZES = {
    **{"bool": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8},
    **{"uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8, "float32": 4, "float64": 8},
}

# Rows without elements, in a list: they are no bytes of a body, and there may be 2⁶³ of them.
_MAX_EMPTY = 1024

# The name of the type and the number of dimensions. Then come their lengths, and the elements at a multiple of 8 bytes.
_HEAD = Struct("<8sQ")
_MAX_DIMENSIONS = 32


class LargeArray(Exception):
    """A value holds an array that is not to be copied into the others: codec.encode_parts() has it in pieces."""


def is_array(value: object) -> bool:
    cls = getattr(sys.modules.get("numpy"), "ndarray", None)
    return cls is not None and isinstance(value, cls)


def is_numeric(array: Any) -> bool:
    """Whether it is sent as an array. Complex numbers are refused as one."""
    return array.dtype.kind in "biufc" and not hasattr(array, "mask")


def to_list(array: Any) -> Any:
    """The elements in a list within a list for each dimension. ValueError: there are none, in too many lists."""
    if not array.size and prod(array.shape[: array.shape.index(0)]) > _MAX_EMPTY:
        raise ValueError(f"an array of the shape {array.shape} has no elements, and too many rows for a list")
    return array.tolist()


def in_parts(array: Any) -> tuple[bytes, memoryview]:
    """The extension's head, and the elements: the array's own memory where that has the order and the type for it.

    Raises TypeError or ValueError where it can't be sent.
    """
    numpy = sys.modules["numpy"]
    dtype = numpy.dtype("float32") if array.dtype.name == "float16" else array.dtype
    if dtype.name not in _SIZES:
        raise TypeError(
            f"has elements of the type {dtype.name}: use .astype() to make them one of {', '.join(_SIZES)}"
        )
    if array.ndim > _MAX_DIMENSIONS:
        raise ValueError(f"has {array.ndim} dimensions, {_MAX_DIMENSIONS} are possible")
    plain = numpy.ascontiguousarray(array, dtype.newbyteorder("<"))
    head = _HEAD.pack(dtype.name.encode(), plain.ndim) + b"".join(
        size.to_bytes(8, "little") for size in plain.shape
    )
    size = len(head) + plain.nbytes
    if size > _MAX_BYTES:
        raise ValueError(f"has {plain.nbytes} bytes, MessagePack holds {_MAX_BYTES}: send parts of it")
    return head, plain.reshape(-1).view("u1").data


def decode(data: bytes) -> Any:
    """The array as a view on `data`, so read-only. Raises ValueError."""
    if len(data) < _HEAD.size:
        raise ValueError("an array is shorter than its head")
    name, dimensions = _HEAD.unpack_from(data)
    start = _HEAD.size + 8 * dimensions
    dtype = name.rstrip(b"\0").decode("latin-1")
    if dtype not in _SIZES:
        raise ValueError(f"an array has elements of the type {dtype!r}, which is none of {', '.join(_SIZES)}")
    if not 0 < dimensions <= _MAX_DIMENSIONS or len(data) < start:
        raise ValueError(f"an array has {dimensions} dimensions, 1 to {_MAX_DIMENSIONS} are possible")
    shape = tuple(int.from_bytes(data[at : at + 8], "little") for at in range(_HEAD.size, start, 8))
    if prod(shape) * _SIZES[dtype] != len(data) - start:
        raise ValueError(
            f"an array of {dtype} and the shape {shape} has {len(data) - start} bytes of elements"
        )
    try:
        import numpy
    except ImportError:
        raise ValueError("it holds an array, which needs numpy: pip install numpy") from None
    return numpy.ndarray(shape, numpy.dtype(dtype).newbyteorder("<"), data, start)
