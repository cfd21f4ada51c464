"""A rule for import-linter: packages that may import nothing but the standard library and what is named.

The rules themselves stand in the root `pyproject.toml`; this is the one kind that import-linter does not bring.
"""

import sys
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
