"""As much of bson as the example uses, where no MongoDB is there."""


class ObjectId:
    def __init__(self, text):
        self.text = text

    def __str__(self):
        return self.text

    def __eq__(self, other):
        return isinstance(other, ObjectId) and self.text == other.text
