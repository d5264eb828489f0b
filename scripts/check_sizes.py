"""Holds the sizes and names of STYLE in place: modules, functions, folders, parameters.

Exit status 1 and one line a finding when something has outgrown its limit.
"""

import ast
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("tlkeras", "converters")
MODULE_MEDIAN, MODULE_P95, MODULE_MOST = 120, 300, 400
FUNCTION_P95, FUNCTION_MOST = 40, 80
FILES_MOST = 12
PARAMETERS_MOST = 8
OPERATORS = ("op", "operation")  # decorators that enter a function for an operator
BAD_WORDS = ("Manager", "Handler", "Helper", "Util", "Impl")
BAD_FILES = ("utils.py", "common.py", "misc.py", "helpers.py")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def main() -> int:
    """Print the figures and the findings; 1 if there are any."""
    modules = {
        path: path.read_text(encoding="utf-8")
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }
    lengths = [text.count("\n") for text in modules.values() if text.strip()]
    functions = [
        (path, node) for path, text in modules.items() for node in _functions(ast.parse(text))
    ]
    sizes = [_length(node) for _, node in functions]
    findings = [
        *_limits("module lines", lengths, MODULE_P95, MODULE_MOST),
        *_limits("function lines", sizes, FUNCTION_P95, FUNCTION_MOST),
        *_crowded_folders(),
        *_names(modules),
        *_crowded_calls(functions),
    ]
    if statistics.median(lengths) > MODULE_MEDIAN:
        findings.append(f"module median {statistics.median(lengths)} > {MODULE_MEDIAN}")
    print(
        f"{len(lengths)} modules: median {statistics.median(lengths):.0f} lines, "
        f"p95 {_p95(lengths)}, most {max(lengths)}; {len(sizes)} functions: "
        f"median {statistics.median(sizes):.0f}, p95 {_p95(sizes)}, most {max(sizes)}"
    )
    for finding in findings:
        print(f"too large or badly named: {finding}")
    return 1 if findings else 0


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _length(node: Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _p95(values: list[int]) -> int:
    return sorted(values)[int(0.95 * (len(values) - 1))]


def _limits(what: str, values: list[int], p95: int, most: int) -> list[str]:
    return [
        f"{what}: {name} {value} > {limit}"
        for name, value, limit in (("p95", _p95(values), p95), ("most", max(values), most))
        if value > limit
    ]


def _crowded_folders() -> list[str]:
    folders = [
        folder
        for package in PACKAGES
        for folder in [ROOT / package, *(ROOT / package).rglob("*")]
        if folder.is_dir() and folder.name != "__pycache__"
    ]
    return [
        f"{folder.relative_to(ROOT)} has {count} files > {FILES_MOST}"
        for folder in folders
        if (count := sum(file.is_file() for file in folder.iterdir())) > FILES_MOST
    ]


def _names(modules: dict[Path, str]) -> list[str]:
    files = [f"{path.relative_to(ROOT)}" for path in modules if path.name in BAD_FILES]
    classes = [
        f"{path.relative_to(ROOT)}: class {node.name}"
        for path, text in modules.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef)
        and (any(word in node.name for word in BAD_WORDS) or node.name.startswith("Base"))
    ]
    return files + classes


def _crowded_calls(functions: list[tuple[Path, Function]]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}: {node.name} takes {count} parameters > {PARAMETERS_MOST}"
        for path, node in functions
        if not node.name.startswith("_")
        and (count := _parameters(node)) > PARAMETERS_MOST
        and path.parent.parts[-2:] != ("cli", "parser")  # options are what the user sees
        and not _is_operator(node)  # its parameters are the attributes that its standard gives it
    ]


def _is_operator(node: Function) -> bool:
    calls = [entry for entry in node.decorator_list if isinstance(entry, ast.Call)]
    return any(isinstance(c.func, ast.Name) and c.func.id in OPERATORS for c in calls)


def _parameters(node: Function) -> int:
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return sum(argument.arg not in ("self", "cls") for argument in arguments)


if __name__ == "__main__":
    sys.exit(main())
