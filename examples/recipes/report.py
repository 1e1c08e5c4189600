"""A report by pandas, and a spreadsheet of it with a chart."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas

import gotask


@gotask.service
class Report:
    # docs: sales
    def sales(self, path: Path | None = None) -> dict[str, Any]:
        """What was sold in each region and month, from a CSV file that both sides see, or from what the caller sends along.

        The columns day, region, price and quantity are read, 50 000 rows at a time: a file of any size will do.
        """
        source = path or gotask.current_call().input.file()
        columns = ["day", "region", "price", "quantity"]
        parts, rows = [], 0
        for part in pandas.read_csv(source, usecols=columns, parse_dates=["day"], chunksize=50_000):
            part = part.assign(turnover=part.price * part.quantity, month=part.day.dt.strftime("%Y-%m"))
            parts.append(part.groupby(["region", "month"])[["quantity", "turnover"]].sum())
            rows += len(part)
        table = pandas.concat(parts).groupby(level=["region", "month"]).sum().round(2)
        best = table.turnover.groupby("region").sum().sort_values(ascending=False)
        return {"rows": rows, "table": table.reset_index(), "regions": best.round(2)}

    # docs: end

    # docs: workbook
    def workbook(self, table: list[dict[str, Any]]) -> bytes:
        """An .xlsx file of such a table, with a chart: a column for each region, a row for each month."""
        from openpyxl.chart import BarChart, Reference

        wide = pandas.DataFrame(table).pivot_table("turnover", "month", "region", "sum", fill_value=0.0)
        file = io.BytesIO()
        with pandas.ExcelWriter(file, engine="openpyxl") as writer:
            wide.to_excel(writer, sheet_name="Turnover")
            sheet = writer.sheets["Turnover"]
            rows, width = len(wide) + 1, len(wide.columns) + 1
            chart = BarChart()
            chart.grouping, chart.overlap, chart.title = "stacked", 100, "Turnover"
            chart.add_data(Reference(sheet, 2, 1, width, rows), titles_from_data=True)
            chart.set_categories(Reference(sheet, 1, 2, 1, rows))
            sheet.add_chart(chart, f"A{rows + 2}")
        return file.getvalue()

    # docs: end
