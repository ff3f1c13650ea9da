"""Where expnos lie: one of them, a folder, nested datasets, or a zip of any of these."""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nmrdyn.schema import InputError
from nmrdyn.topspin.files.text import legible

_DEPTH = 6  # folders below the one that is given; data/USER/nmr/NAME/EXPNO of old consoles has four
# What an archive may unpack to: this, and this many times its own size. Raw data shrink to a half or a third.
_ZIP_BYTES, _ZIP_RATIO = 20_000_000, 100
_ZIP_MEMBERS = 200_000
# Others expand without bound where they are read in pieces.
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# The files of an expno that are read; all else stays packed.
_READ = re.compile(
    r"acqus?|acqu2s?|ser|fid|audita\.txt|uxnmr\.info|pulseprogram(\.precomp)?|v[dpc]list|difflist|lists/v[dpc]/[^/]+"
    r"|pdata/[0-9]+/(title|2rr|procs|proc2s|ct1t2\.txt|t1ints\.txt|t1peaks\.txt)"
)


@dataclass(frozen=True)
class Located:
    """An expno: what it is called in results, its folder, and the zip it came out of."""

    name: str
    path: Path
    archive: Path | None = None

    def shown(self, text: str) -> str:
        """A sentence that can be printed, with the archive in place of the folder it was unpacked to."""
        return legible(text.replace(str(self.path), f"{self.archive}:{self.name}") if self.archive else text)

    def sources(self, files: list[Path]) -> list[Path]:
        """What was read, as the user knows it: the archive in place of the files unpacked from it."""
        return [self.archive] if self.archive else files


@contextmanager
def expnos_in(path: Path) -> Iterator[list[Located]]:
    """The expno `path`, or every expno up to six folders below it, in natural order; a zip is unpacked meanwhile.

    A file or a pdata folder inside an expno stands for the expno. Names are POSIX paths from `path`. Of a zip only the
    files that are read are unpacked, to at most 20 MB and 100 times its size.

    Raises
    ------
    InputError
        Where `path` does not exist, holds no expno, or is an archive that cannot be unpacked or grows beyond reason.
    """
    try:
        exists, packed = path.exists(), path.is_file() and zipfile.is_zipfile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: needed a folder or a zip of expnos, found {error}; give the path of one") from error
    if not exists:
        raise InputError(f"{path}: no such file or folder; give a TopSpin expno, a folder of expnos, or a zip of them")
    if packed:
        with tempfile.TemporaryDirectory(prefix="nmrdyn-") as folder:
            root = Path(folder)
            _unpack(path, root)
            yield _located(_found(root, path), root, path)
        return
    root = _expno_around(path)
    if not root.is_dir():
        raise InputError(f"{path}: needed a TopSpin expno, a folder of expnos, or a zip of them, found a file")
    yield _located(_found(root, path), root, None)


def _expno_around(path: Path) -> Path:
    """The expno in which `path` is a file or pdata/N, else `path` itself."""
    for folder in (path, *list(path.absolute().parents)[:3]):
        if (folder / "acqus").is_file():
            return folder
    return path


def _found(root: Path, said: Path) -> list[Path]:
    if (root / "acqus").is_file():
        return [root]
    found = list(_walk(root, _DEPTH, set(), root.resolve()))
    if not found:
        raise InputError(f"{said}: needed expnos (folders with acqus), found none; give the folder that holds them")
    return sorted(found, key=lambda expno: [_natural(part) for part in expno.relative_to(root).parts])


def _walk(folder: Path, depth: int, seen: set[Path], root: Path) -> Iterator[Path]:
    """Expnos below `folder`; nothing twice, and nothing by a link that leads out of `root`."""
    try:
        real = folder.resolve()
        if real in seen or not real.is_relative_to(root):
            return
        seen.add(real)
        folders = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and path.is_dir()]
        expnos = {path for path in folders if _is_expno(path) and path.resolve().is_relative_to(root)}
    except (OSError, RuntimeError):  # a folder that may not be read, or a link that goes round
        return
    for path in folders:
        if path in expnos:
            yield path
        elif depth > 1:
            yield from _walk(path, depth - 1, seen, root)


def _is_expno(path: Path) -> bool:
    try:
        return (path / "acqus").is_file()
    except OSError:  # one that may not be entered
        return False


def _located(expnos: list[Path], root: Path, archive: Path | None) -> list[Located]:
    return [
        Located(
            name=legible(
                (archive.stem if archive else root.resolve().name)
                if expno == root
                else expno.relative_to(root).as_posix()
            ),
            path=expno,
            archive=archive,
        )
        for expno in expnos
    ]


def _natural(part: str) -> tuple[int, int, str]:
    return (0, int(part), "") if part.isdecimal() and len(part) < 20 else (1, 0, part)


def _unpack(archive: Path, root: Path) -> None:
    """Unpack those files of a zip that are read and whose names stay below `root`."""
    allowed = _ZIP_BYTES + _ZIP_RATIO * archive.stat().st_size
    try:
        with zipfile.ZipFile(archive) as file:
            members = [member for member in file.infolist() if _is_plain(member) and _is_read(member)]
            strange = next((member for member in members if member.compress_type not in _ZIP_METHODS), None)
            if strange is not None:
                raise InputError(
                    f"{archive}: needed files that are stored or deflated, found method {strange.compress_type}; pack "
                    "it once more"
                )
            # No more than this is ever read of a member, whatever its data expand to.
            size = sum(member.file_size for member in members)
            if size > allowed or len(members) > _ZIP_MEMBERS:
                raise InputError(
                    f"{archive}: needed an archive of at most {allowed / 1e6:.0f} MB and {_ZIP_MEMBERS} files, found "
                    f"{size / 1e6:.0f} MB and {len(members)} files in {archive.stat().st_size / 1e6:.1f} MB; "
                    "unpack it yourself and give the folder"
                )
            for member in members:
                target = root.joinpath(*_parts(member))
                target.parent.mkdir(parents=True, exist_ok=True)
                with file.open(member) as packed, target.open("xb") as plain:
                    shutil.copyfileobj(packed, plain)
    except InputError:
        raise
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        said = legible(str(error))[:200]  # it may hold names of members
        raise InputError(f"{archive}: not a readable zip ({said}); pack it once more without a password") from error
    except OSError as error:
        raise InputError(f"{archive}: could not be unpacked ({error.strerror or error})") from error


def _parts(member: zipfile.ZipInfo) -> tuple[str, ...]:
    """The parts of a name; old packers of Windows wrote backslashes."""
    return PurePosixPath(member.filename.replace("\\", "/")).parts


def _is_read(member: zipfile.ZipInfo) -> bool:
    """Whether it lies where a file of an expno does, at most so deep as expnos are looked for."""
    parts = _parts(member)
    return any(_READ.fullmatch("/".join(parts[-n:])) for n in (1, 3)) and len(parts) <= _DEPTH + 3


def _is_plain(member: zipfile.ZipInfo) -> bool:
    """A file (no folder, no link) whose name does not lead out; what macOS adds is left."""
    parts = _parts(member)
    outside = not parts or parts[0].startswith(("/", "__MACOSX")) or ".." in parts or ":" in parts[0]
    return not (outside or member.is_dir() or stat.S_ISLNK(member.external_attr >> 16))
