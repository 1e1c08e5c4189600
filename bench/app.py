"""What `gotask bench` calls: the least that a method can do, in a worker and in the broker."""

import gotask


@gotask.register
def echo(value):
    return value


@gotask.register
@gotask.method(inline=True)
def back(value):
    return value
