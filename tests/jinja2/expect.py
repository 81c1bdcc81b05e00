"""Renders the cases of this folder with Jinja2 itself: prints each case's name and its output as JSON.

A case is a file of sections, `=== NAME` and lines of it: `vars` (JSON), `file NAME`, `template`, `output`;
and where Assay does otherwise, `ours` and `because`.
"""

import json, pathlib, sys
from jinja2 import DictLoader, Environment


def sections(path):
    found, name = {}, None
    # As bytes: a case may be about carriage returns.
    for line in path.read_bytes().decode().removesuffix("\n").split("\n"):
        if line.startswith("=== "):
            name = line[4:]
            found[name] = []
        elif name is not None:
            found[name].append(line)
    return {name: "\n".join(lines) for name, lines in found.items()}


outputs = {}
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.txt")):
    case = sections(path)
    files = {name[5:]: text for name, text in case.items() if name.startswith("file ")}
    environment = Environment(loader=DictLoader(files | {"template": case["template"]}))
    variables = json.loads(case.get("vars", "{}"))
    outputs[path.stem] = environment.get_template("template").render(variables)
json.dump(outputs, sys.stdout)
