"""A pylint plugin that holds snake_case off the variables that pylint's own invalid-name passes over.

invalid-name looks at positional parameters, locals and fields. It never looks at keyword-only and positional-only
parameters, *rest and **rest, the parameters of a lambda, names of a module that are no constants, and attributes set
from outside their class.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from astroid import nodes
from pylint.checkers import BaseChecker

if TYPE_CHECKING:
    from pylint.lint import PyLinter

SNAKE_CASE = re.compile(r"_*[a-z][a-z0-9]*(_[a-z0-9]+)+")
MESSAGE = "snake-case-variable"


class NamingChecker(BaseChecker):
    """Reports snake-case-variable. Names in pylint's `good-names` are let through here too."""

    name = "camelcase"
    msgs = {  # noqa: RUF012 - a class attribute by pylint's own interface
        "C9001": (
            '%s "%s" is snake_case, expected camelCase',
            MESSAGE,
            "Variables, parameters, attributes and fields are camelCase.",
        )
    }

    def visit_arguments(self, node: nodes.Arguments) -> None:
        unseen = [*node.posonlyargs, *node.kwonlyargs]
        if isinstance(node.parent, nodes.Lambda) and not isinstance(node.parent, nodes.FunctionDef):
            unseen += node.args or []
        for argument in unseen:
            self._check("Parameter", argument.name, argument)
        for name in (node.vararg, node.kwarg):
            if name is not None:
                self._check("Parameter", name, node.parent)

    def visit_assignname(self, node: nodes.AssignName) -> None:
        if isinstance(node.frame(), nodes.Module):
            self._check("Variable", node.name, node)

    def visit_assignattr(self, node: nodes.AssignAttr) -> None:
        # A class answers for what it sets on itself: invalid-name reports that once, where it is set first.
        if not (isinstance(node.expr, nodes.Name) and node.expr.name in ("self", "cls")):
            self._check("Attribute", node.attrname, node)

    def _check(self, kind: str, name: str, node: nodes.NodeNG | None) -> None:
        if SNAKE_CASE.fullmatch(name) and name not in self.linter.config.good_names:
            self.add_message(MESSAGE, args=(kind, name), node=node)


def register(linter: PyLinter) -> None:
    """Called by pylint for each plugin that its configuration names."""
    linter.register_checker(NamingChecker(linter))
