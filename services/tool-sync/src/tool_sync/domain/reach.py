"""What stands between an assistant's next caller and our tools, as far as its document and the tools it names can tell.

    TS-313  a tool of another clinic, or one of this clinic that the log does not know
    TS-308  an id that Vapi does not have: every call of the assistant fails
    TS-309  serverMessages without tool-calls: no call of a tool is sent
    TS-307  another tool of the same name: which of the two Vapi takes is not published
    TS-310  a pin to a version of our tool that is not answered
    TS-311  a traffic split whose versions do not have the tool

Pure. A document is Vapi's, so nothing in it is trusted to have the documented shape.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from tool_sync.domain.events import ToolRef

SHADOWED_CODE: Final = "TS-307"
DANGLING_CODE: Final = "TS-308"
NOT_SENT_CODE: Final = "TS-309"
PIN_CODE: Final = "TS-310"
TRAFFIC_CODE: Final = "TS-311"
OF_ANOTHER_CODE: Final = "TS-312"
FOREIGN_CLINIC_CODE: Final = "TS-313"
OBSTACLE_CODES: Final = frozenset(
    {SHADOWED_CODE, DANGLING_CODE, NOT_SENT_CODE, PIN_CODE, TRAFFIC_CODE, OF_ANOTHER_CODE, FOREIGN_CLINIC_CODE}
)

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NamedTool:
    """What a read of a tool showed that an assistant names and our log does not know.

    ``vapi_tool_id`` is the id by which it was asked for. ``exists`` is False after a 404. ``name`` is its function's,
    None where it is no function. The marker's two ids are None where it carries no marker of ours.
    """

    vapi_tool_id: str
    exists: bool
    name: str | None = None
    installation_id: UUID | None = None
    org_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one clinic when an assistant of it is looked at.

    ``tool_ids`` are the ids of the clinic's log, retired and surplus ones included. ``registered`` and ``unwanted`` are
    the names of the tools that it has, and of those that it should not have. ``versions`` maps an id and Vapi's label
    of a version ("v3") to the definition version that it holds; ``answered`` are the (name, version) pairs whose calls
    are answered.
    """

    installation_id: UUID
    org_id: UUID
    tool_ids: frozenset[str] = frozenset()
    registered: frozenset[str] = frozenset()
    unwanted: frozenset[str] = frozenset()
    versions: Mapping[str, Mapping[str, int]] = field(default_factory=lambda: MappingProxyType({}))
    answered: frozenset[tuple[str, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that stands in the way: its code, the names of the tools that no caller reaches, the ids behind it."""

    code: str
    tools: tuple[str, ...]
    vapi_tool_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pin:
    """A pin of one of our tools to a version, by Vapi's label; ``definition_version`` is None where it is not known."""

    name: str
    label: str
    definition_version: int | None


def belongs_to_another(document: Document, installation_id: UUID, org_id: UUID) -> bool:
    """Whether the assistant's metadata says that it is another organization's or another installation's.

    Only a mark with an installation counts: generic keys (``organization_id`` alone) may be anybody's words.
    """
    metadata = document.get("metadata")
    if not isinstance(metadata, Mapping) or "zerotouch_installation" not in metadata:
        return False
    return (_uuid(metadata["zerotouch_installation"]), _uuid(metadata.get("organization_id"))) != (
        installation_id,
        org_id,
    )


def named_ids(document: Document) -> tuple[str, ...]:
    """The ids of tools that the assistant names, in ``toolIds`` and in ``toolRefs``, each once, in order."""
    model = _model(document)
    pinned = (ref.get("toolId") for ref in _dicts(model.get("toolRefs")))
    ids = [*_list(model.get("toolIds")), *pinned]
    return tuple(dict.fromkeys(one for one in ids if isinstance(one, str) and one))


def to_take_out(named: Iterable[NamedTool], known: Known) -> tuple[str, ...]:
    """The ids that a link takes out: those that a read showed to be of our installation and of another clinic.

    Also this clinic's own that the log does not know, once it knows another of that name or wants none. One that is
    wanted and not registered yet may be the one to come, and a name that this release does not know is a newer one's.
    """
    return tuple(tool.vapi_tool_id for tool in named if _is_misplaced(tool, known))


def obstacles_of(
    document: Document,
    target: Sequence[ToolRef],
    *,
    named: Mapping[str, NamedTool],
    known: Known,
    split: Collection[str] | None = None,
    linked_version: str | None = None,
) -> tuple[Obstacle, ...]:
    """What stands in the way of ``target`` on this document, the gravest first; () where a caller reaches all of it.

    ``named`` is what is known of the ids that the log does not know, by id. ``split``: the labels of the versions that
    an explicit traffic split sends calls to; None where there is no split, or none is known. ``linked_version``: the
    label of the version that our newest link made.
    """
    if not target:
        return ()
    names = tuple(ref.name for ref in target)
    there = [named[one] for one in named_ids(document) if one in named and one not in known.tool_ids]
    found = (
        Obstacle(FOREIGN_CLINIC_CODE, names, to_take_out(there, known)),
        Obstacle(DANGLING_CODE, names, tuple(tool.vapi_tool_id for tool in there if not tool.exists)),
    )
    return (
        *(one for one in found if one.vapi_tool_ids),
        *([Obstacle(NOT_SENT_CODE, names)] if not _sends_tool_calls(document) else ()),
        *_shadows(document, names, there, known),
        *_of(PIN_CODE, (pin.name for pin in pins_of(document, target, known) if not _is_answered(pin, known))),
        *([Obstacle(TRAFFIC_CODE, names)] if not _all_have_it(split, document, linked_version) else ()),
    )


def pins_of(document: Document, target: Sequence[ToolRef], known: Known) -> tuple[Pin, ...]:
    """The tools of ``target`` that the assistant pins to a version, whichever it is."""
    ours = {ref.vapi_tool_id: ref for ref in target}
    found = []
    for ref in _dicts(_model(document).get("toolRefs")):
        tool, label = ours.get(str(ref.get("toolId"))), ref.get("version")
        if tool is not None and isinstance(label, str) and label:
            found.append(Pin(tool.name, label, known.versions.get(tool.vapi_tool_id, {}).get(label)))
    return tuple(found)


def _is_answered(pin: Pin, known: Known) -> bool:
    return pin.definition_version is not None and (pin.name, pin.definition_version) in known.answered


def _is_misplaced(tool: NamedTool, known: Known) -> bool:
    if tool.vapi_tool_id in known.tool_ids or tool.installation_id != known.installation_id:
        return False
    return tool.org_id != known.org_id or tool.name in known.registered or tool.name in known.unwanted


def _sends_tool_calls(document: Document) -> bool:
    kinds = document.get("serverMessages")
    return not isinstance(kinds, list) or "tool-calls" in kinds


def _all_have_it(split: Collection[str] | None, document: Document, linked_version: str | None) -> bool:
    """Whether every version that gets calls has the links of this document.

    Vapi publishes no way to read a version, so it is told by its label: it is the document's own, or not older than the
    one that our newest link made. A later edit that took the link out made us link anew.
    """
    latest, linked = document.get("latestVersion"), _number(linked_version)
    return all(
        label == latest or (linked is not None and (number := _number(label)) is not None and number >= linked)
        for label in split or ()
    )


def _number(label: str | None) -> int | None:
    """The number in a label like "v7"; they only rise."""
    digits = (label or "").removeprefix("v")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 9 else None


def _shadows(
    document: Document, names: Collection[str], there: Iterable[NamedTool], known: Known
) -> Iterator[Obstacle]:
    saved = {tool.name: tool.vapi_tool_id for tool in there if tool.exists and not _is_misplaced(tool, known)}
    inline = set(_inline_names(_model(document)))
    for name in names:
        if name in inline or name in saved:
            yield Obstacle(SHADOWED_CODE, (name,), (saved[name],) if name in saved else ())


def _inline_names(model: Mapping[str, Any]) -> Iterator[str]:
    """The function names of what is defined in the assistant itself; ``functions`` is the older form."""
    for tool in (*_dicts(model.get("tools")), *_dicts(model.get("functions"))):
        function = tool.get("function")
        for name in (function.get("name") if isinstance(function, Mapping) else None, tool.get("name")):
            if isinstance(name, str):
                yield name


def _of(code: str, names: Iterable[str]) -> list[Obstacle]:
    found = tuple(dict.fromkeys(names))
    return [Obstacle(code, found)] if found else []


def _model(document: Document) -> Mapping[str, Any]:
    model = document.get("model")
    return model if isinstance(model, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: object) -> list[Mapping[str, Any]]:
    return [item for item in _list(value) if isinstance(item, Mapping)]


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
