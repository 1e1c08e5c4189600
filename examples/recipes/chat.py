"""Tokens as a language model makes them, one after the other, until the reader has enough.

The model is a stand-in: a Markov chain over the first page of "Alice's Adventures in Wonderland".
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import gotask

logger = logging.getLogger(__name__)


@gotask.service
class Chat:
    # docs: answer
    def open(self) -> None:
        self._model = Model(Path(__file__).with_name("chat.txt").read_text())

    async def answer(self, question: str, most: int = 120) -> AsyncIterator[str]:
        """At most so many tokens. Async: one process has many answers under way."""
        told = 0
        try:
            # A real model's client goes here. aclosing() ends its answer at once when this one ends.
            async with aclosing(self._model.tokens(question, most)) as tokens:
                async for token in tokens:
                    yield token
                    told += 1
        finally:  # whatever ended it: the last token, or a browser that was closed
            logger.info("the answer ended after %d tokens", told)

    # docs: end


class Model:
    def __init__(self, text: str) -> None:
        words = text.split()
        self._next: dict[str, list[str]] = {}
        for word, following in zip(words, words[1:] + words[:1]):
            self._next.setdefault(word, []).append(following)

    async def tokens(self, question: str, most: int) -> AsyncIterator[str]:
        word = next((word for word in question.split() if word in self._next), "Alice")
        for _ in range(most):
            yield word + " "
            await asyncio.sleep(0.03)
            word = random.choice(self._next[word])
