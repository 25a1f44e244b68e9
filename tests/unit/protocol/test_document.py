"""Files that are no protocol at all, and what YAML may mean in one."""

import os

import pytest

from phmri.exceptions import ProtocolError
from phmri.protocol import read_protocol
from phmri.protocol._document import read_document


def _problems(tmp_path, content):
    path = tmp_path / "trial.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ProtocolError) as caught:
        read_protocol(path)
    return caught.value.problems


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        ("", None, "the file is empty"),
        ("# only a comment\n", None, "the file is empty"),
        ("- a\n- b\n", 1, "not a mapping"),
        ("just a text\n", 1, "not a mapping"),
        (b"phmri: 1\n\x00\x01", None, "not a text"),
        (b"phmri: 1\ntitle: K\xe4tamin\n", 2, "byte 0xe4 is not UTF-8"),
        ("phmri: 1\ntitle: \x07\n", 2, "a character that a text file should not hold"),
        ("phmri: 1\ndrugs:\n\tketamine: {}\n", 3, "a tab stands in the indentation"),
        ("phmri: 1\nname:\tdemo\n", 2, "after a colon"),
        ("phmri: 1\ntitle: 'open\nname: a\n", 2, "a quotation mark is opened"),
        ("phmri: 1\ntitle: a: b\n", 2, "a second ': ' in one line"),
        ("phmri: 1\ncontrast: [a, b\nname: c\n", 2, "a bracket is opened"),
        ("phmri: 1\nname demo\ntitle: a\n", 2, "this line is no 'key: value'"),
        ("phmri: 1\ndrugs:\n    a: {}\n  b: {}\n", 4, "does not fit the lines above"),
        ("phmri: 1\nname: @demo\n", 2, "cannot start with this character"),
        ("phmri: 1\nname: " + "[" * 5000, 2, "nested too deeply"),
    ],
)  # fmt: skip
def test_what_is_no_protocol_is_refused_with_its_line(tmp_path, content, line, what):
    problems = _problems(tmp_path, content)

    assert len(problems) == 1
    assert what in problems[0].what
    assert problems[0].line == line
    assert problems[0].file == str(tmp_path / "trial.yaml")


def test_every_tab_is_told(tmp_path):
    problems = _problems(tmp_path, "phmri: 1\ndrugs:\n\ta: {}\n\tb: {}\n")

    assert [problem.line for problem in problems] == [3, 4]


@pytest.mark.parametrize(
    ("content", "line", "field", "what"),
    [
        ("phmri: 1\nname: a\nname: b\n", 3, "name", "the key 'name' is given twice"),
        ("phmri: 1\ndrugs:\n  k: {a: {}}\n  k: {b: {}}\n", 4, "drugs.k", "given twice"),
        ("phmri: 1\nname: &x a\ntitle: *x\n", 3, "title", "'*x' refers to another place"),
        ("phmri: 1\nname: !!python/object:os.system a\n", 2, "name", "the tag"),
        ("phmri: 1\n---\nname: a\n", 2, None, "a second document"),
        ("phmri: 1\n? [a, b]\n: c\n", 2, None, "a key is not a plain name"),
    ],
)
def test_clever_yaml_is_refused(tmp_path, content, line, field, what):
    problems = _problems(tmp_path, content)

    assert [problem for problem in problems if what in problem.what and problem.line == line] == [
        problem for problem in problems if problem.field == field and what in problem.what
    ]
    assert any(what in problem.what for problem in problems)


def test_expanding_anchors_are_refused_at_once(tmp_path):
    lines = ["a0: &a0 [x, x]"] + [
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)
    ]

    problems = _problems(tmp_path, "\n".join(lines))

    assert sum("refers to another place" in problem.what for problem in problems) == 9 * 11


def test_file_that_is_not_there(tmp_path):
    with pytest.raises(ProtocolError, match="there is no such file"):
        read_protocol(tmp_path / "none.yaml")


def test_folder_instead_of_a_file(tmp_path):
    with pytest.raises(ProtocolError, match="this is a folder"):
        read_protocol(tmp_path)


def test_large_file(tmp_path):
    assert "bytes" in _problems(tmp_path, "# a\n" * 300_000)[0].what


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path):
    path = tmp_path / "trial.yaml"
    path.write_text("phmri: 1\n")
    path.chmod(0)

    with pytest.raises(ProtocolError, match="cannot be read"):
        read_protocol(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-12", -12), ("0", 0), ("1.5", 1.5), (".5", 0.5), ("1e-3", 1e-3),
        ("2.E+2", 200.0),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        ("no", "no"), ("on", "on"), ("01", "01"), ("0x1F", "0x1F"), ("1:30", "1:30"), ("'1'", "1"),
        ("2020-03-10", "2020-03-10"), ("1_000", "1_000"), ("e5", "e5"),
        (".", "."), (".inf", ".inf"),
        ("'true'", "true"), ('"1e3"', "1e3"), ("[a, 1]", ["a", 1]), ("{1: 2}", {"1": 2}),
    ],
)  # fmt: skip
def test_scalars_follow_yaml_1_2(tmp_path, text, value):
    path = tmp_path / "a.yaml"
    path.write_text(f"key: {text}\n")

    read = read_document(path).value["key"]

    assert read == value
    assert type(read) is type(value)


def test_byte_order_mark_and_windows_lines_are_read(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb:\r\n  c: [x]\r\n")

    document = read_document(path)

    assert document.value == {"a": 1, "b": {"c": ["x"]}}
    assert document.lines == {("a",): 1, ("b",): 2, ("b", "c"): 3, ("b", "c", 0): 3}
