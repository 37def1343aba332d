"""What mas-eval --plot drew against what --json says: plot.py FILE.svg FILE.json. Prints the texts, a line each."""
import json
import re
import sys
import xml.etree.ElementTree

SVG = "{http://www.w3.org/2000/svg}"


def place(element):
    return tuple(map(float, re.match(r"translate\((.*?),(.*?)\)", element.get("transform")).groups()))


def texts(element):
    return [(group, text.text.strip()) for group in element.iter(SVG + "g") for text in group.findall(SVG + "text")]


root = xml.etree.ElementTree.parse(sys.argv[1])
evaluation = json.load(open(sys.argv[2]))
tics = [(place(group)[1], float(text)) for group, text in texts(root) if re.fullmatch("[0-9]+", text)]
(low_y, low), (high_y, high) = tics[0], tics[-1]
tic_of_low = next(p for p in root.iter(SVG + "path") if p.get("class") == "gridline")
offset = low_y - float(re.match("M.*?,(.*?) ", tic_of_low.get("d")).group(1))  # of a text from its line

want = []
for j, task in enumerate(evaluation["tasks"]):
    want.append([row[j] for row, learned in zip(evaluation["accuracy"], evaluation["learned"]) if learned > j])
want.append([sum(row[:n]) / n for row, n in zip(evaluation["accuracy"], evaluation["learned"])])

curves = [group for group in root.iter(SVG + "g") if group.get("id", "").startswith("gnuplot_plot_")]
assert len(curves) == len(want), (len(curves), len(want))
for curve, values in zip(curves, want):
    *points, _ = [place(use) for use in curve.iter(SVG + "use")]  # the last is the key's
    drawn = [low + (low_y - offset - y) * (high - low) / (low_y - high_y) for _, y in points]
    assert len(drawn) == len(values), (drawn, values)
    assert all(abs(a - 100 * b) < 0.05 for a, b in zip(drawn, values)), (drawn, values)
    assert [x for x, _ in points] == sorted(x for x, _ in points)
print("\n".join(text for _, text in texts(root)))
