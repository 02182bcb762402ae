#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reads what metrics/ shows with parsers that are not ours. Without this, Prometheus, a browser or a
spreadsheet might not."""
import csv
import io
import subprocess
import sys
import xml.dom.minidom

sample = sys.argv[1]


def shown(*arguments):
    return subprocess.run([sample, *arguments], stdout=subprocess.PIPE, check=True).stdout.decode()


for arguments in (["chart"], ["chart", "1"], ["chart", "5"], ["empty"]):
    root = xml.dom.minidom.parseString(shown(*arguments)).documentElement
    assert root.tagName == "svg" and root.namespaceURI == "http://www.w3.org/2000/svg"
    assert len(root.getElementsByTagName("path")) > 8, arguments

rows = list(csv.DictReader(io.StringIO(shown("history"))))
assert len(rows) > 1000
assert all(None not in row and float(row["p99"]) >= float(row["p50"]) for row in rows)

numbers = dict(line.split() for line in shown("names").splitlines())
assert sum(int(row["count"]) for row in rows) == int(numbers["count"])

try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
except ImportError:
    print("python3-prometheus-client is missing: OpenMetrics not checked")
    sys.exit(77)
families = {family.name: family for family in text_string_to_metric_families(shown("openmetrics"))}
assert len(families) == 12, families.keys()
calls = {s.labels["function"]: s.value for s in families["fnfs_calls"].samples}
assert calls == {"shop": float(numbers["count"]), "quiet": 0, 'we"ird\\name\n': 0}, calls
summary = families["fnfs_call_duration_seconds"]
assert summary.type == "summary" and summary.unit == "seconds"
assert sum(s.name.endswith("_count") for s in summary.samples) == 3
print("metrics are well-formed")
