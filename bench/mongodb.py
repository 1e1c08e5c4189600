"""Reading MongoDB: by pymongo in sync workers, by motor in async ones.

MONGODB_URI names the server, BENCH_DATABASE the database there.
"""

import os

import gotask
import pymongo

DOCUMENTS, LARGE, SCANNED = 1_000, 1_000, 200_000

database = pymongo.MongoClient(os.environ["MONGODB_URI"])[os.environ["BENCH_DATABASE"]]


def user(number):
    """About 250 bytes of BSON."""
    return {
        "_id": number,
        "name": f"user {number}",
        "email": f"user.{number}@example.com",
        "age": number % 90,
        "scores": [number, number / 2, number / 3],
        "tags": ["php", "python", "mongodb"],
        "address": {"street": f"{number} Long Street", "city": "Springfield", "country": "US"},
    }


@gotask.register
def fill(number):
    database.client.drop_database(database.name)
    database.users.insert_many(user(number) for number in range(DOCUMENTS))
    database.large.insert_one({"_id": 0, "users": [user(number) for number in range(LARGE)]})
    for begin in range(0, SCANNED, 1000):
        database.scanned.insert_many(
            {"_id": number, "text": "x" * 50} for number in range(begin, begin + 1000)
        )
    return True


@gotask.register
def drop(number):
    database.client.drop_database(database.name)
    return True


@gotask.register
def one(number):
    return database.users.find_one({"_id": number})


@gotask.register
def hundred(number):
    return list(database.users.find({"_id": {"$lt": 100}}))


@gotask.register
def large(number):
    return database.large.find_one({"_id": 0})


@gotask.register
def slow(number):
    """All documents are looked at, and none found."""
    return list(database.scanned.find({"text": {"$regex": "y$"}}))


class Motor:
    """The client is made in the loop of the worker that uses it."""

    def __init__(self):
        self._database = None

    @property
    def database(self):
        if self._database is None:
            from motor.motor_asyncio import AsyncIOMotorClient

            self._database = AsyncIOMotorClient(os.environ["MONGODB_URI"])[os.environ["BENCH_DATABASE"]]
        return self._database

    async def one(self, number):
        return await self.database.users.find_one({"_id": number})

    async def hundred(self, number):
        return await self.database.users.find({"_id": {"$lt": 100}}).to_list(None)

    async def large(self, number):
        return await self.database.large.find_one({"_id": 0})

    async def slow(self, number):
        return await self.database.scanned.find({"text": {"$regex": "y$"}}).to_list(None)


gotask.register(Motor())
