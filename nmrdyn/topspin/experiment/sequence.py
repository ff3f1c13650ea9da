"""What a pulse program measures: which pulses stand before, between and after what is varied."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from nmrdyn.topspin.experiment.program import Program, Step

_SHORT = (
    10e-6  # s; it stands between the pulses of a composite pulse or switches a power, and is no delay to measure with
)


@dataclass(frozen=True)
class Measured:
    """`kind` as `Kind.name`, "recovery" where saturation or inversion is not told, "" where nothing is; `why` in words.

    `channel` is the one whose spins relax, 1 for the observed nucleus.
    """

    kind: str = ""
    why: str = ""
    channel: int = 1
    warnings: tuple[str, ...] = ()


def measured(program: Program) -> Measured:
    """The experiment that the steps of a pulse program make.

    Saturation, inversion and stimulated-echo sequences differ in the pulses before the varied delay, echoes in those
    between its halves. A train of pulses or one of 90 degrees saturates, one of 180 inverts; two pulses about a delay
    that comes back after the varied one make a stimulated echo (Hahn, Phys. Rev. 80 (1950) 580).

    Examples
    --------
    >>> from nmrdyn.topspin.experiment.program import parse_program
    >>> measured(parse_program("1 ze\\n2 d1\\n p1 ph1\\n vd\\n p2 ph2\\n vd\\n go=2 ph31\\nexit")).kind
    't2'
    """
    steps = [step for step in program.steps if not step.seconds < _SHORT]
    varied = {step.varied for step in steps}
    if "gradient" in varied:
        return Measured("diffusion", "the strength of gradient pulses is varied")
    if "vp" in varied:
        return _pulse_lengths(steps)
    if "vc" in varied:
        return _counts(steps)
    return _delays(program, steps) if "vd" in varied else Measured()


def irradiated(steps: tuple[Step, ...]) -> list[dict[int, str]]:
    """Which channels are irradiated during each step, and how: {2: "cpds2"}.

    The scan is repeated, so what the last step leaves on is on in the first.
    """
    state: dict[int, str] = {}
    during: list[dict[int, str]] = []
    for step in (*steps, *steps):
        if step.what == "switch":
            state = {channel: word for channel, word in state.items() if channel != step.channel}
            if step.word != "do":
                state[step.channel] = step.word
        during.append(state)
    return during[len(steps) :]


def _pulse_lengths(steps: list[Step]) -> Measured:
    first = next(i for i, step in enumerate(steps) if step.varied == "vp")
    lock = steps[first]
    words = f"{lock.word} is varied"
    neighbours = {step.channel for step in steps[first:] if step.varied == "vp"}
    if len(neighbours) > 1:
        return Measured("other", f"pulse lengths: {words} on two channels, a contact")
    before = [step for step in steps[:first] if step.what == "pulse" and step.channel == lock.channel]
    if not before:
        return Measured("other", f"pulse lengths: {words} and no pulse stands before it, a nutation")
    return Measured(
        "t1rho", f"a spin lock of varied length ({lock.word}) after a pulse {before[-1].word}", lock.channel
    )


def _counts(steps: list[Step]) -> Measured:
    body = [step for step in steps if step.varied == "vc"]
    first = _at(steps, body[0])
    count = body[0].loops[0] if body[0].loops else body[0].word
    pulses = [step for step in body if step.what == "pulse" and step.channel == 1]
    waits = any(step.what == "delay" for step in body)
    if not pulses and waits:
        return Measured("", f"a delay is repeated as often as {count} says")
    before = [step for step in steps[:first] if step.what == "pulse" and step.channel == 1]
    turns = any(_inverts(step) or math.isnan(step.angle) for step in pulses)
    if before and turns and waits and len(_joined(steps[:first], 1)) == 1:
        return Measured("t2", f"CPMG: refocusing pulses {pulses[0].word} in a train, their number varied by {count}")
    return Measured("", f"pulses are repeated as often as {count} says")


def _delays(program: Program, steps: list[Step]) -> Measured:
    at = [i for i, step in enumerate(steps) if step.varied == "vd"]
    first, last = at[0], at[-1]
    word = steps[first].word
    channel = next((step.channel for step in steps[:first] if step.what == "pulse" and step.channel == 1), 0)
    channel = channel or next((step.channel for step in steps[:first] if step.what == "pulse"), 1)
    locked = 1 in irradiated(program.steps)[_at(program.steps, steps[first])]
    if locked and any(step.what == "pulse" and step.channel == 1 for step in steps[:first]):
        return Measured("t1rho", f"f1 is irradiated during {word} after a pulse: a spin lock")
    before = _joined(steps[:first], channel)
    between = _joined(steps[first : last + 1], channel)
    after = _joined(steps[last + 1 :], channel)
    if between:
        return _echo(before, between, word)
    if channel == 1 and _contact(steps[:first]):
        return Measured("other", f"{word} between two pulses after a contact: T1 by a decay to zero (Torchia)")
    if not before:
        if not after:
            return Measured()
        text = f"{word} stands before the first pulse: recovery from the pulses of the scan before"
        return Measured("saturation_recovery", text, warnings=(_PROGRESSIVE,))
    return _single(program, steps, before, after, word=word, channel=channel)


_PROGRESSIVE = (
    "the scan before saturates: the acquisition and other delays add to the varied delay, and the first scan of a row "
    "is another one unless dummy scans stand before it"
)


def _single(
    program: Program, steps: list[Step], before: list[list[Step]], after: list[list[Step]], *, word: str, channel: int
) -> Measured:
    """One varied delay, with pulses before it."""
    of = f" on f{channel}" if channel > 1 else ""
    last = before[-1]
    names = ", ".join(step.word for group in before[:4] for step in group[:4])
    if not after:
        return Measured("", f"no pulse between {word} and the acquisition")
    if any(step.loops for step in last):
        return Measured("saturation_recovery", f"a loop of pulses ({last[0].word}) before {word}{of}", channel)
    if len(before) > 2:
        return Measured("saturation_recovery", f"{len(before)} pulses ({names}) before {word}{of}", channel)
    if len(before) == 2:
        if _shared_delay(program, steps, before, after, word):
            return Measured("stimulated_echo", f"{word} between the second and the third pulse, an echo after it")
        return Measured("", f"two pulses ({names}) before {word}: saturation or a stimulated echo")
    if (_inverts(last[0]) and len(last) == 1) or _composite(last):
        return Measured("inversion_recovery", f"a pulse of 180 degrees ({names}) before {word}{of}", channel)
    if len(last) > 1 or math.isnan(last[0].angle):
        return Measured("recovery", f"a pulse of unknown angle ({names}) before {word}{of}", channel)
    if _inverts(after[0][0]):
        return Measured("t2", f"Hahn echo: {word} between {names} and {after[0][0].word}")
    return Measured(
        "saturation_recovery", f"one pulse of {last[0].angle:g} degrees ({names}) before {word}{of}", channel
    )


def _echo(before: list[list[Step]], between: list[list[Step]], word: str) -> Measured:
    """Pulses stand between the first and the last varied delay."""
    names = ", ".join(step.word for group in between[:4] for step in group[:4])
    turns = any(_inverts(step) for group in between for step in group)
    if not before:
        return Measured()
    if turns or len(between) == 1:
        train = ", in a train" if any(step.loops for group in between for step in group) else ""
        return Measured("t2", f"echo: {word} on both sides of {names}{train}")
    return Measured("stimulated_echo", f"{word} before the second and after the third pulse: the evolution time varied")


def _joined(steps: list[Step], channel: int) -> list[list[Step]]:
    """The pulses on a channel; those without a delay between them make one composite pulse."""
    groups: list[list[Step]] = []
    apart = True
    for step in steps:
        if step.what == "pulse" and step.channel == channel:
            if apart:
                groups.append([])
            groups[-1].append(step)
            apart = False
        elif step.what in ("delay", "gradient"):
            apart = True
    return groups


def _at(steps: Sequence[Step], wanted: Step) -> int:
    return next(i for i, step in enumerate(steps) if step is wanted)


def _inverts(step: Step) -> bool:
    return abs(step.angle - 180) < 20


def _composite(group: list[Step]) -> bool:
    """90-180-90 and 90-240-90 invert (Levitt, Prog. NMR Spectrosc. 18 (1986) 61)."""
    angles = [step.angle for step in group]
    return len(angles) == 3 and abs(angles[0] - 90) < 1 and abs(angles[2] - 90) < 1 and 170 < angles[1] < 250


def _contact(steps: list[Step]) -> bool:
    """A cross polarisation: the same pulse on two channels, side by side."""
    return any(
        one.what == two.what == "pulse" and one.word == two.word and one.channel != two.channel
        for one, two in pairwise(steps)
    )


def _shared_delay(
    program: Program, steps: list[Step], before: list[list[Step]], after: list[list[Step]], word: str
) -> bool:
    """A delay between the first two pulses comes back, itself or in a sum, after the third."""
    one, two, three = (_at(steps, group[0]) for group in (before[0], before[1], after[0]))
    encoding, decoding = (
        {
            root
            for root in program.roots({step.word for step in part if step.what == "delay" and step.word != word})
            # Pulse lengths, the dead time and numbers are part of delays of every sort.
            if root not in program.varied and root != "de" and not re.fullmatch(r"p\d+|\d.*", root)
        }
        for part in (steps[one:two], steps[three:])
    )
    return bool(encoding & decoding)
