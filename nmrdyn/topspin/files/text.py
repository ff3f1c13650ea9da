"""Small texts of an expno: titles, programs, reports. Whoever wrote them, they are read to a bound and never obeyed."""

from __future__ import annotations

from pathlib import Path

_TITLE = 8_000  # bytes of a title that are read


def text_inside(path: Path, expno: Path, *, most: int, whole: bool = False) -> str:
    """The first `most` bytes of a file as text; "" where there is none, or it is a link that leads out of the expno.

    UTF-16 where it has the mark, else UTF-8, else Latin-1, in which every byte is a letter. With `whole` a longer file
    gives "" too.
    """
    try:
        if not path.is_file() or not leads_inside(path, expno):
            return ""
        with path.open("rb") as file:
            data = file.read(min(path.stat().st_size, most) + 1)
    except (OSError, ValueError):  # ValueError: a name no file can have
        return ""
    if whole and len(data) > most:
        return ""
    return decoded(data[:most])


def leads_inside(path: Path, folder: Path) -> bool:
    """Whether a path, its links followed, stays in `folder`."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # RuntimeError: a link that goes round
        return False


def decoded(data: bytes) -> str:
    """Bytes of whatever computer as text."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def plain(value: object, *, most: int = 80) -> str:
    """One line without brackets around it and without control characters, which a terminal would obey."""
    words = " ".join(str(value)[: 4 * most].strip("<> \t\n").split())
    return "".join(letter if letter.isprintable() else "?" for letter in words)[:most]


def legible(name: str) -> str:
    """A name with what is not printable as its code: names of files may hold any byte, line ends too."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in name)


def numbered_pdata(expno: Path) -> list[Path]:
    """The folders pdata/N in the order of N; none that a link leads out of the expno to."""
    try:
        found = [path for path in (expno / "pdata").iterdir() if path.name.isdecimal() and path.name.isascii()]
    except (OSError, ValueError):
        return []
    numbered = sorted((path for path in found if len(path.name) < 10), key=lambda path: int(path.name))
    return [path for path in numbered if leads_inside(path, expno)]


def title_of(expno: Path) -> str:
    """The title of the first processing that has one."""
    titles = (text_inside(path / "title", expno, most=_TITLE) for path in numbered_pdata(expno))
    return next(filter(None, titles), "")
