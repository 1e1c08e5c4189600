"""Statistics over a table in text: commas, semicolons or tabs, which Python finds out."""

import csv
import io
import statistics


class Table:
    def summary(self, content: bytes) -> dict:
        """Rows, columns, and what is in each column; the first row has their names."""
        text = content.decode("utf-8-sig")
        try:
            dialect = csv.Sniffer().sniff(text[:4096], delimiters=",;\t")
        except csv.Error:
            dialect = csv.excel  # one column: nothing to find out
        names, *rows = csv.reader(io.StringIO(text), dialect)
        columns = {
            name: _describe([row[number] for row in rows if len(row) > number and row[number] != ""])
            for number, name in enumerate(names)
        }
        return {"rows": len(rows), "delimiter": dialect.delimiter, "columns": columns}


def _describe(values: list) -> dict:
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return {"type": "text", "values": len(values), "different": len(set(values))}
    if not numbers:
        return {"type": "empty", "values": 0}
    return {
        "type": "number",
        "values": len(numbers),
        "least": min(numbers),
        "most": max(numbers),
        "average": round(statistics.fmean(numbers), 4),
    }
