"""TopSpin folders to be mutated, one change at a time, and put back as they were."""

import os
import random
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import nmrdyn as nd

# Fields that say how long, how many, which type or which scale.
ABSURD = [
    "-1", "0", "1", "2", "3", "7", "1e400", "-1e400", "nan", "inf", "-inf", "1e308", "1e-308", "2147483648", "-9" * 20,
    "9" * 400, "9" * 5000, "0x10", "1_000", "٣", "1e", "--1", "", "<>", "<23Na>", "yes", "(0..3)", "(0..3)\n1 2",
    "(0..999999999)",
    "(0..63)\n" + "0 " * 64, "1.5", "1e15", "65536", "1e60", "\x1b[2J", "<script>alert(1)</script>", "0.5 0.6",
]  # fmt: skip
FIELDS = [
    "TD", "NC", "SW", "SW_h", "BYTORDA", "DTYPA", "SFO1", "GRPDLY", "DECIM", "DSPFVS", "DIGMOD", "AQ_mod", "TE", "D",
    "NUC1", "PULPROG", "ZGOPTNS", "VDLIST", "SI", "XDIM", "NC_proc", "BYTORDP", "DTYPP", "FTSIZE", "TDeff", "SW_p",
    "WDW", "LB", "GB", "SSB", "PHC1", "OFFSET", "SF", "FT_mod", "PH_mod", "BF1", "PKNL", "CNST", "MASR", "PROBHD",
    "CPDPRG", "NS", "RG", "TDoff",
]  # fmt: skip
SMALL = 1_000_000  # bytes; larger files are not taken through text
TITLES = [
    "<script>alert(1)</script> 60 C", "\x1b[31m\x1b]0;owned\x07 300 K", "\x00" * 50, "é" * 4000, "60 °C " * 3000,
    "9" * 9000 + " K", "static 1" + "0" * 6 + " khz mas", "-" * 8000, "(" * 8000, "T = 60 C, T = 61 C", "\u202e60 C",
    " " * 8000 + "K", "&lt;b&gt; &#27;[2J &#x110000; 60 &deg;C", "5 to " * 1600, "<" * 8000,
]  # fmt: skip
PROGRAMS = [
    "1 ze\n2 d1\nlo to 2 times l1\n" * 2000, '"' * 100_000, "(" * 50_000, "#ifdef x\n" * 20_000, "/*" * 50_000,
    "\n".join(f'"d{i}=d{i + 1}+d{i + 1}"' for i in range(5000)), "define list<delay> x\n" * 5000, "1 " * 60_000,
    "vd " * 60_000, "p1:f1 " * 30_000, '"p5=' + "9" * 900 + '*p1"\n1 ze\n2 d1\n p5 ph1\n vd\n p1 ph2\ngo=2 ph31\n',
    "1 ze\n2 d1\n" + "9" * 900 + "u\n vd\n p1 ph2\ngo=2\n", "cw:f9" + "9" * 800 + "\n",
]  # fmt: skip


def simulated(folder, seed=1):
    """A folder of each kind of raw data that is read, small ones."""
    truth = nd.RelaxationTruth(
        nucleus="23Na", larmor_frequency=132.32e6, cq=1e6, eta=0.1, activation_energy=0.45, tau_c=1e-5, snr=200,
        reference_temperature=333.15, temperature=[333.15], delays=[0.1, 0.5, 1.5, 4.0, 10.0, 25.0],
    )  # fmt: skip
    inversion = replace(truth, depth=1.9)
    nd.simulate_folder(truth, folder / "ser", seed=seed)
    nd.simulate_folder(truth, folder / "processed", seed=seed, processed=True)
    (folder / "processed" / "1" / "ser").unlink()
    nd.simulate_folder(truth, folder / "arrayed", seed=seed, arrayed=True)
    nd.simulate_folder(inversion, folder / "neo", seed=seed, console="neo", processed=True)
    nd.simulate_folder(inversion, folder / "old", seed=seed, console="xwinnmr")
    for kind in ("ser", "neo"):  # what consoles leave besides
        expno = folder / kind / "1"
        (expno / "pulseprogram").write_text(
            "1 ze\n2 d1\n (p1 ph1):f1\n vd\n p1:f1 ph2\n cpd2:f2\n go=2 ph31\n do:f2\nexit\n"
            '"d11=30m"\n#ifdef t1\n#endif\n; text\n',
            encoding="utf-8",
        )
        (expno / "pdata" / "1" / "ct1t2.txt").write_text(
            "AREA fit :\nI[t]=I[0]+P*exp(-t/T1)\n9 points for Integral 1\nT1    =  4.649m\nSD = 1e-3\n",
            encoding="utf-8",
        )
        lines = "".join(f"{i} 1 1\n0 0 1\n1.5 {i}.5 7\n" for i in range(1, 7)) + "-1 0 0\n"
        (expno / "pdata" / "1" / "t1ints.txt").write_text(f"19\n{lines}", encoding="utf-8")
    zipped = folder / "zip"
    zipped.mkdir()
    with zipfile.ZipFile(zipped / "na.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted((folder / "neo").rglob("*")):
            file.write(path, path.relative_to(folder))
    return {"ser": folder / "ser", "processed": folder / "processed", "arrayed": folder / "arrayed",
            "neo": folder / "neo", "old": folder / "old", "zip": zipped / "na.zip"}  # fmt: skip


class Hostile:
    """A folder or a zip (`path`), and what is beside it; `change` does one thing to one file, `restore` undoes it."""

    def __init__(self, path, outside):
        self.path, self.outside = path, outside
        self.top = path.parent if path.is_file() else path
        self.files = {file: file.read_bytes() for file in sorted(self.top.rglob("*")) if file.is_file()}
        self.folders = {folder for folder in self.top.rglob("*") if folder.is_dir()}
        outside.mkdir(parents=True, exist_ok=True)
        (outside / "secret").write_text("##$TD= 8\n", encoding="utf-8")

    def restore(self):
        """The folder as it was."""
        for found in sorted(self.top.rglob("*"), reverse=True):
            if found.is_symlink() or not (found in self.files or found in self.folders):
                remove(found)
        for folder in self.folders:
            if folder.is_symlink() or not folder.is_dir():
                remove(folder)
        for folder in sorted(self.folders):
            folder.mkdir(exist_ok=True)
        for file, data in self.files.items():
            if not file.is_file() or file.stat().st_size != len(data) or file in self.touched:
                if file.is_symlink() or not file.is_file():
                    remove(file)
                file.write_bytes(data)

    def change(self, rng):
        """Mutate one file, sometimes two; what was done, in words."""
        self.touched = set()
        return "; ".join(self._one(rng) for _ in range(rng.choice((1, 1, 1, 2))))

    def _one(self, rng):
        file = rng.choice(list(self.files))
        if not file.is_file() or file.is_symlink():
            return "nothing left to change"
        self.touched.add(file)
        how = rng.choice(list(HOW) if self.files[file][:2] != b"##" else [*HOW, *["field"] * 12])
        return f"{file.relative_to(self.top)}: {how} {HOW[how](self, file, rng) or ''}"


def remove(path):
    """Whatever it is, and no link's target."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.is_symlink() or path.exists():
        path.unlink()


def _bytes(change):
    def done(self, file, rng):
        file.write_bytes(bytes(change(bytearray(file.read_bytes()), rng)))

    done.of = change
    return done


def _flip(data, rng):
    for _ in range(rng.choice((1, 3, 50))):
        if data:
            data[rng.randrange(len(data))] = rng.randrange(256)
    return data


def _cut(data, rng):
    return data[: rng.choice((0, 1, rng.randrange(len(data) + 1), max(len(data) - 1, 0)))]


def _grown(data, rng):
    return data + rng.choice((data, b"\0", data[: len(data) // 3], bytes(1024), b"\n" * 100))


def _random(data, rng):
    return rng.randbytes(rng.choice((1, 7, 1000, max(len(data), 1))))


def _nul(data, rng):
    at = rng.randrange(len(data) + 1)
    return data[:at] + bytes(rng.choice((1, 100))) + data[at:]


def _long(data, rng):
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice((b"9", b"(", b"<", b" ", b"x", b"-", b"1 ", b'"', b"\xff")) * 100_000 + data[at:]


def _encoded(data, rng):
    text = data.decode("latin-1")
    return rng.choice((text.encode("utf-16"), b"\xff\xfe" + data, b"\xef\xbb\xbf" + data, text.encode("utf-32"),
                       data.replace(b"\n", b"\r"), data.replace(b"\n", b"\x85"), b"\xff" + data))  # fmt: skip


def _line(data, rng):
    if len(data) > SMALL:
        return data
    lines = bytes(data).split(b"\n")
    at = rng.randrange(len(lines))
    lines[at : at + 1] = rng.choice(([], [lines[at]] * 2, [lines[at]] * 1000, [rng.choice(lines)], [b""] * 5))
    return b"\n".join(lines)


def _number(data, rng):
    """Any number of a text becomes another one."""
    if len(data) > SMALL:
        return data
    found = list(re.finditer(rb"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?", bytes(data)))
    if not found:
        return data
    one = rng.choice(found)
    return data[: one.start()] + rng.choice(ABSURD).encode() + data[one.end() :]


def _field(self, file, rng):
    data = file.read_bytes()
    field, value = rng.choice(FIELDS), rng.choice(ABSURD)
    entry = f"##${field}= {value}\n".encode()
    found = re.search(rb"^##\$" + field.encode() + rb"=[^#]*", data, re.MULTILINE)
    file.write_bytes(data[: found.start()] + entry + data[found.end() :] if found else entry + data)
    return f"{field} {value[:20]!r}"


def _words(texts):
    def done(self, file, rng):
        file.write_text(rng.choice(texts), encoding="utf-8")

    return done


def _swap(self, file, rng):
    other = rng.choice(list(self.files))
    file.write_bytes(self.files[other])
    return f"with {other.name}"


def _instead(self, file, rng):
    file.unlink()
    what = rng.choice(("nothing", "folder", "out", "loop", "nowhere", "fifo", "device", "full folder", "inside"))
    if what == "folder":
        file.mkdir()
    elif what == "full folder":
        shutil.copytree(file.parent, self.outside / "copy", symlinks=True, ignore=shutil.ignore_patterns("ser", "fid"))
        shutil.move(self.outside / "copy", file)
    elif what == "fifo":
        os.mkfifo(file)
    elif what != "nothing":
        targets = {"out": self.outside / "secret", "loop": file, "nowhere": self.outside / "missing",
                   "device": Path("/dev/zero"), "inside": rng.choice(list(self.files))}  # fmt: skip
        file.symlink_to(targets[what])
    return what


def _name(self, file, rng):
    """A name that no console gives, as bytes: latin-1, control characters, very long."""
    name = rng.choice((b"\xff\xfe", b"\x1b[2J", b"a\nb", b"<b>", b"x" * 250, b"-rf", b" ", b"..."))
    place = os.fsencode(file.parent if rng.random() < 0.5 else self.top)
    os.makedirs(os.path.join(place, name), exist_ok=True)  # noqa: PTH103, PTH118
    for source, data in self.files.items():
        if source.parent == file.parent:
            Path(os.fsdecode(os.path.join(place, name, os.fsencode(source.name)))).write_bytes(data)  # noqa: PTH118
    return repr(name[:10])


def _sparse(self, file, rng):
    os.truncate(file, file.stat().st_size + rng.choice((10**6, 10**7)))


HOW = {
    "flip": _bytes(_flip),
    "cut": _bytes(_cut),
    "grown": _bytes(_grown),
    "random": _bytes(_random),
    "nul": _bytes(_nul),
    "long": _bytes(_long),
    "encoded": _bytes(_encoded),
    "line": _bytes(_line),
    "number": _bytes(_number),
    "field": _field,
    "title": _words(TITLES),
    "program": _words(PROGRAMS),
    "swap": _swap,
    "instead": _instead,
    "name": _name,
    "sparse": _sparse,
}


def state(folder):
    """All that a reader could change: names, sizes and times."""
    found = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        info = path.lstat()
        found[path] = (info.st_mode, info.st_size, info.st_mtime_ns)
    return found


def seeded(case):
    """The same changes for the same case, on every machine."""
    return random.Random(f"nmrdyn {case}")
