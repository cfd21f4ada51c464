"""Two rules for import-linter: packages that may import nothing but what is named, and no module by way of itself.

The rules themselves stand in the root `pyproject.toml`; these are the kinds that import-linter does not bring.
"""

import sys
from graphlib import CycleError, TopologicalSorter
from typing import Any

from importlinter import Contract, ContractCheck, fields, output


class OnlyImports(Contract):  # type: ignore[misc, unused-ignore]
    """Options: `modules`, each with its descendants; `excluded`, those it is not about; `allowed`, other packages."""

    type_name = "only_imports"
    modules: Any = fields.ListField(subfield=fields.ModuleField())
    excluded: Any = fields.ListField(subfield=fields.ModuleField(), required=False)
    allowed: Any = fields.SetField(subfield=fields.StringField(), required=False)

    def check(self, graph: Any, verbose: bool) -> ContractCheck:
        """Collects every direct import that leaves the package for somewhere else than allowed."""
        roots = [module.name for module in self.modules]
        excluded = {module.name for module in self.excluded or ()}
        excluded |= {name for module in excluded for name in graph.find_descendants(module)}
        allowed = (*roots, *(self.allowed or ()))
        broken = [
            f"{importer} may not import {imported}"
            for root in roots
            for importer in sorted({root, *graph.find_descendants(root)} - excluded)
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if imported.partition(".")[0] not in sys.stdlib_module_names
            and not any(imported == name or imported.startswith(f"{name}.") for name in allowed)
        ]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Prints one line for each import."""
        for line in check.metadata["broken"]:
            output.print_error(line)


class NoCircles(Contract):  # type: ignore[misc, unused-ignore]
    """Option: `modules`, each with its descendants. Imports within functions and for types alone count too."""

    type_name = "no_circles"
    modules: Any = fields.ListField(subfield=fields.ModuleField())

    def check(self, graph: Any, verbose: bool) -> ContractCheck:
        """Finds one circle, if there is any."""
        inside = {name for root in self.modules for name in (root.name, *graph.find_descendants(root.name))}
        imports = {name: sorted(graph.find_modules_directly_imported_by(name) & inside) for name in sorted(inside)}
        try:
            TopologicalSorter(imports).prepare()
        except CycleError as error:
            return ContractCheck(kept=False, metadata={"circle": list(reversed(error.args[1]))})
        return ContractCheck(kept=True)

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Prints the way from a module back to itself."""
        output.print_error(" imports ".join(check.metadata["circle"]))
