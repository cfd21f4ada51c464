"""Bodies and arguments as JSON, or a problem."""

from assistant_api.problem import Problem
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.strict_json import parse_json


def read_json(raw: bytes, *, values_max: int, line_breaks_in_text: bool = False) -> object:
    """Bytes as :func:`zerotouch_platform.strict_json.parse_json` reads them; else a 400 problem."""
    try:
        return parse_json(raw, line_breaks_in_text=line_breaks_in_text, values_max=values_max)
    except (ValueError, RecursionError):
        raise Problem(400, ErrorCode.INVALID_REQUEST, "the body is not valid JSON in UTF-8") from None
