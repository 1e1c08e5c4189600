"""As much of pymongo as the example uses, where no MongoDB is there. All workers see the same documents, which a file holds."""

import json
import os
from types import SimpleNamespace

from bson import ObjectId

FILE = os.environ["FAKE_MONGODB"]


class Cursor(list):
    def sort(self, key):
        return Cursor(sorted(self, key=lambda document: document[key]))


class Collection:
    def _read(self):
        with open(FILE) as file:
            text = file.read()
        return [
            {"_id": ObjectId(f"{number + 1:024x}"), **each}
            for number, each in enumerate(json.loads(text or "[]"))
        ]

    def insert_many(self, documents):
        with open(FILE, "w") as file:
            json.dump(documents, file)
        return SimpleNamespace(inserted_ids=[document["_id"] for document in self._read()])

    def find(self, filter):
        return Cursor(
            each for each in self._read() if all(each[key] == value for key, value in filter.items())
        )

    def find_one(self, filter):
        return next(iter(self.find(filter)), None)

    def drop(self):
        with open(FILE, "w"):
            pass


class MongoClient:
    def __init__(self, uri, serverSelectionTimeoutMS):
        pass

    def get_default_database(self, name):
        return {"gotask_example_orders": Collection()}
