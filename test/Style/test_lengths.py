"""Files have at most 600 lines and functions at most 80."""

import ast
import re

from style import expect_none, name, tracked

FILE_LIMIT, FUNCTION_LIMIT = 600, 80

# Comments, strings and characters: what braces may hide in.
HIDDEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"\((?:.|\n)*?\)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'',
    re.DOTALL,
)
# What stands before the brace that opens the body of a function.
HEAD = re.compile(
    r"([\w:~]+|operator\S+)\s*\([^;{}]*\)\s*"
    r"(?:const|noexcept|override|final|mutable|->\s*[\w:<>,&*\s]+|"
    r":\s*\w+[({].*|\s)*$",
    re.DOTALL,
)
NO_FUNCTION = {"if", "for", "while", "switch", "catch", "namespace"}


def functions(text: str):
    """Name and first and last line of each outermost function body."""
    text = HIDDEN.sub(lambda m: "\n" * m[0].count("\n") + "x", text)
    line, start, body, found = 1, 0, None, []
    braces = []  # whether each opened a block
    for at, char in enumerate(text):
        if char == "\n":
            line += 1
        elif char == "{":
            braces.append(text[at - 1] in " \n")
            if body or not braces[-1]:
                continue
            head = HEAD.search(text[start:at])
            if head and head[1] not in NO_FUNCTION:
                body = (head[1], line, len(braces))
            start = at + 1
        elif char == "}":
            if body and len(braces) == body[2]:
                found.append((body[0], body[1], line))
                body = None
            if braces.pop() and not body:
                start = at + 1
        elif char == ";" and not body:
            start = at + 1
    assert not braces, "braces do not match"
    return found


def test_files():
    problems = {}
    for path in tracked(".cpp", ".h", ".c", ".td", ".py", ".mlir", ".sh", ".cmake",
                        "CMakeLists.txt", ".test", ".onnxtxt"):  # fmt: skip
        count = len(path.read_text().splitlines())
        if count > FILE_LIMIT:
            problems[name(path)] = f"{name(path)} has {count} lines"
    expect_none(problems)


def test_cpp_functions():
    problems, seen = {}, 0
    for path in tracked(".cpp", ".h", ".c"):
        for function, first, last in functions(path.read_text()):
            seen += 1
            if last - first + 1 > FUNCTION_LIMIT:
                problems[f"{name(path)}:{function}"] = (
                    f"{name(path)}:{first}: {function} has {last - first + 1} lines"
                )
    # Fewer would mean that the reader of functions no longer understands them.
    assert seen > 1000, seen
    expect_none(problems)


def test_python_functions():
    problems = {}
    for path in tracked(".py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                count = node.end_lineno - node.lineno + 1
                if count > FUNCTION_LIMIT:
                    problems[f"{name(path)}:{node.name}"] = (
                        f"{name(path)}:{node.lineno}: {node.name} has {count} lines"
                    )
    expect_none(problems)


def test_the_reader_of_functions():
    text = """
    namespace a {
    struct S : T {
      S(int x) : x(x), y{x} {
        if (x) { f(); }
      }
      int g() const override { return 0; }
      int y = {};
    };
    static auto h(int a,
                  int b) -> int {
      auto k = [&](int c) { return "}" + c; };
      return k(a);
    }
    } // namespace a
    """
    assert [(n, last - first) for n, first, last in functions(text)] == [
        ("S", 2), ("g", 0), ("h", 3),
    ]  # fmt: skip
