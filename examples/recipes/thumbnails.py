"""Thumbnails by Pillow: a picture's bytes in, those of its thumbnails out."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

import gotask

# A picture of a few kilobytes can unpack to gigabytes, so its size is looked at before it is unpacked.
MOST_PIXELS = 50_000_000
Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit warns first and raises at twice as many


class BadImage(ValueError):
    """Not a picture, a broken one, or one that is too large: the sender's fault."""


@gotask.service
class Thumbnails:
    # docs: make
    def make(self, picture: bytes, sizes: list[int]) -> dict[int, bytes]:
        """WebP pictures by their sizes: each fits into a square of so many pixels. Upright, whatever the camera's way up."""
        try:
            image = Image.open(io.BytesIO(picture))  # reads the header alone
            if image.width * image.height > MOST_PIXELS:
                raise BadImage(
                    f"the picture has {image.width} × {image.height} pixels, more than {MOST_PIXELS}"
                )
            image.draft("RGB", (2 * max(sizes), 2 * max(sizes)))  # a JPEG need not be unpacked in full
            image = ImageOps.exif_transpose(image)
        except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for a broken picture
            raise error if isinstance(error, BadImage) else BadImage(f"this picture can't be read: {error}")
        transparent = "A" in image.getbands() or "transparency" in image.info
        image = image.convert("RGBA" if transparent else "RGB")
        return {size: _webp(ImageOps.contain(image, (size, size))) for size in sizes}

    # docs: end


def _webp(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "WEBP", quality=80)
    return file.getvalue()
