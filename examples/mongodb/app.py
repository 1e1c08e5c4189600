"""Orders in MongoDB, by pymongo. MONGODB_URI names the server, and may name a database: mongodb://127.0.0.1/shop."""

import os

import gotask
from bson import ObjectId
from pymongo import MongoClient

# docs: app
gotask.encoder(ObjectId, str)

# Each worker process loads this file, and so has a client of its own, which keeps its connections open. Its time to find a
# server is shorter than a call's, 30 s both unless said otherwise: so PHP is told that there is none.
client = MongoClient(os.environ.get("MONGODB_URI", "mongodb://127.0.0.1"), serverSelectionTimeoutMS=5000)
database = client.get_default_database("test")
orders = database["gotask_example_orders"]


@gotask.service
class Orders:
    def add(self, documents: list[dict]) -> list[str]:
        return [str(id) for id in orders.insert_many(documents).inserted_ids]

    def get(self, id: str) -> dict | None:
        return orders.find_one({"_id": ObjectId(id)})

    def of(self, customer: str):
        """A stream: documents go to PHP as the cursor has them, however many there are."""
        yield from orders.find({"customer": customer}).sort("number")

    def worth(self, customer: str) -> float:
        """What is done with many documents is done here: PHP gets the result alone."""
        return sum(order["price"] * order["pieces"] for order in orders.find({"customer": customer}))
        # docs: end

    def clear(self) -> None:
        orders.drop()
