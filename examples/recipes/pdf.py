"""The text of a PDF, page by page, by pypdf."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import pypdf

import gotask


# docs: pages
class BadPdf(ValueError):
    """The sender's fault. `data` reaches PHP with the error."""

    def __init__(self, why: str, message: str) -> None:
        super().__init__(message)
        self.data = {"why": why}


@dataclass
class Page:
    number: int
    of: int
    text: str


@gotask.service
class Pdf:
    def pages(self, document: bytes, password: str = "") -> Iterator[Page]:
        """Each page as soon as it is read. BadPdf: it is broken, or no PDF at all, or the password does not open it."""
        try:
            reader = pypdf.PdfReader(io.BytesIO(document))
            if reader.is_encrypted and not reader.decrypt(password):
                raise BadPdf("password", "the PDF is encrypted, and this password does not open it")
            for number, page in enumerate(reader.pages, 1):
                yield Page(number, len(reader.pages), page.extract_text())
        except BadPdf:
            raise
        except Exception as error:  # pypdf raises many kinds for what is not as it should be
            raise BadPdf("broken", f"the PDF can't be read: {error}") from error


# docs: end
