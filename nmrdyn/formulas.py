"""Arithmetic that a user writes as text, such as "1.02*TE - 3": numbers, named values and + - * / **, nothing else."""

from __future__ import annotations

import ast
import difflib
import math
import operator
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from nmrdyn.schema import InputError

_LONGEST = 200  # letters; also keeps Python's parser and `_value` from deep recursion
_OPERATORS: dict[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,  # ** would give complex numbers
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


@dataclass(frozen=True)
class Formula:
    """A formula as `read_formula` makes it: its text, and the names it needs in the order they come."""

    text: str
    names: tuple[str, ...]
    _tree: ast.expr = field(repr=False, compare=False)

    def value(self, known: Mapping[str, float]) -> float:
        """The value with the names as in `known`; NaN where a name is missing, or arithmetic gives no finite number."""
        if any(math.isnan(known.get(name, math.nan)) for name in self.names):
            return math.nan  # before the arithmetic, in which NaN**0 is 1
        try:
            value = _value(self._tree, known)
        except (ArithmeticError, ValueError):  # division by zero, overflow, a root of a negative number
            return math.nan
        return value if math.isfinite(value) else math.nan


def read_formula(text: str, names: Collection[str], *, what: str) -> Formula:
    """Read a formula of numbers, + - * / **, parentheses and `names`; the text is parsed, never run.

    Parameters
    ----------
    text : the formula, at most 200 letters
    names : the names it may hold
    what : what the formula is, for errors: "temperature formula"

    Raises
    ------
    InputError
        For anything else, with the nearest known name for one that is unknown.

    Examples
    --------
    >>> formula = read_formula("2*x**2 - 1", ["x", "y"], what="example")
    >>> formula.value({"x": 3.0}), formula.names
    (17.0, ('x',))
    """
    example = f"'1.02*{next(iter(names))} - 3'"
    if len(text) > _LONGEST:
        raise InputError(f"{what}: needed at most {_LONGEST} letters, found {len(text)}; leave out what is not needed")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the parser, about odd spellings such as "1or 2"
            tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise InputError(f"{what}: needed a formula such as {example}, found {text!r}") from None
    used: list[str] = []
    for node in _operands(tree):
        match node:
            case ast.Constant(value=float() | int() as value) if not isinstance(value, bool) and value < math.inf:
                continue
            case ast.Name(id=name) if name in names:
                used.append(name)
            case ast.Name(id=name):
                near = difflib.get_close_matches(name.upper(), names, n=1, cutoff=0.0)
                raise InputError(
                    f"{what}: needed the names {', '.join(names)}, found {name!r} in {text!r}; did you mean {near[0]}?"
                )
            case _:
                raise InputError(
                    f"{what}: needed numbers, + - * / **, parentheses and {', '.join(names)}, found {text!r}; "
                    f"write it as {example}"
                )
    return Formula(text.strip(), tuple(dict.fromkeys(used)), tree)


def _operands(node: ast.AST) -> list[ast.AST]:
    """What a formula calculates with, in order; a node that is no arithmetic stands for itself."""
    match node:
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return _operands(operand)
        case ast.BinOp(op=op, left=left, right=right) if type(op) in _OPERATORS:
            return _operands(left) + _operands(right)
    return [node]


def _value(node: ast.AST, known: Mapping[str, float]) -> float:
    match node:
        case ast.Name(id=name):
            return float(known[name])
        case ast.UnaryOp(op=op, operand=operand):
            return _OPERATORS[type(op)](_value(operand, known))
        case ast.BinOp(op=op, left=left, right=right):
            return _OPERATORS[type(op)](_value(left, known), _value(right, known))
        case ast.Constant(value=float() | int() as value):
            return float(value)
    raise TypeError(type(node))  # read_formula lets no other through
