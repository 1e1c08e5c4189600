"""What the benchmarks call with arrays and tables."""

import functools

import numpy
import pandas

import gotask


@gotask.register
def doubled(array):
    return array * 2.0


@functools.cache
def frame(rows):
    numbers = numpy.arange(rows)
    return pandas.DataFrame(
        {
            "id": numbers,
            "count": numbers.astype("int32"),
            "price": numbers / 8,
            "ratio": 1 / (numbers + 1),
            "sold": numbers % 2 == 0,
        }
    )


@gotask.register
def records(rows):
    return frame(rows).to_dict("records")


@gotask.register
def table(rows):
    return frame(rows)


@gotask.register
def columns(rows):
    return {name: column.to_numpy() for name, column in frame(rows).items()}
