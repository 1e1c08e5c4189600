"""Async calls that wait, and a sync one that does not, to see whether they hold each other up."""

import asyncio

import gotask


@gotask.register
async def wait(value):
    await asyncio.sleep(1)
    return value


@gotask.register
def echo(value):
    return value
