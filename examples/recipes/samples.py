"""Writes what lies in samples/, the same each time: `python3 samples.py`. Needs Pillow."""

from __future__ import annotations

import csv
import math
import random
from datetime import date, timedelta
from pathlib import Path

from PIL import Image, ImageDraw

SAMPLES = Path(__file__).with_name("samples")


def pictures() -> None:
    """A JPEG that its camera held sideways, a PNG with transparency, and a JPEG that was cut off."""
    width, height = 960, 640
    hills = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(hills)
    for y in range(height):
        draw.line([(0, y), (width, y)], fill=(255 - y // 6, 190 - y // 9, 120 + y // 6))
    draw.ellipse([610, 150, 770, 310], fill=(255, 244, 200))
    for number, colour in enumerate([(118, 98, 140), (84, 72, 118), (48, 44, 84), (26, 24, 52)]):
        line = [
            (x, 330 + 75 * number + 45 * math.sin(x / (150 - 25 * number) + number)) for x in range(width + 1)
        ]
        draw.polygon([(0, height), *line, (width, height)], fill=colour)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise
    hills.rotate(90, expand=True).save(SAMPLES / "sideways.jpg", quality=80, exif=exif)

    badge = Image.new("RGBA", (400, 400))
    draw = ImageDraw.Draw(badge)
    for ring in range(8):
        edge = 25 * ring
        draw.ellipse(
            [edge, edge, 400 - edge, 400 - edge], fill=(30 + 25 * ring, 90, 200 - 20 * ring, 120 + 15 * ring)
        )
    badge.save(SAMPLES / "round.png", optimize=True)

    (SAMPLES / "cut-off.jpg").write_bytes((SAMPLES / "sideways.jpg").read_bytes()[:3000])


def sales() -> None:
    chance = random.Random(14)
    with (SAMPLES / "sales.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["day", "region", "article", "price", "quantity"])
        for number in range(360):
            day = date(2026, 1, 1) + timedelta(days=number // 4)
            region = chance.choices(["North", "South", "West"], (3, 5, 2))[0]
            rows.writerow(
                [
                    day,
                    region,
                    chance.choice(["tea", "ink", "pen"]),
                    chance.choice(["2.50", "4.20", "12.00"]),
                    chance.randint(1, 9),
                ]
            )


def letter() -> None:
    """A PDF of three pages, written by hand: what PdfWriter of pypdf can't write is text."""
    texts = ["Dear reader,", "this letter has three pages,", "and here it ends."]
    count = len(texts)
    kids = " ".join(f"{4 + 2 * page} 0 R" for page in range(count))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {count} /Kids [{kids}] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for page, text in enumerate(texts):
        content = f"BT /F1 18 Tf 72 720 Td ({text}) Tj ET"
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * page} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>",
            f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        ]
    document, places = "%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(document))
        document += f"{number} 0 obj\n{each}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\n"
    (SAMPLES / "letter.pdf").write_bytes(f"{document}{end}startxref\n{len(document)}\n%%EOF\n".encode())


if __name__ == "__main__":
    SAMPLES.mkdir(exist_ok=True)
    pictures()
    sales()
    letter()
