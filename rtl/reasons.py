"""Files that give reasons: what is excused on a line of its own, the reason on indented lines below it."""

from __future__ import annotations

import pathlib


def reasons(path: pathlib.Path) -> dict[str, str]:
    """The reason of each entry; `#` begins a comment. Raises ValueError with file and line if one has none."""
    found: dict[str, str] = {}
    key, key_line = None, 0
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            if key is None:
                raise ValueError(f"{path.name}:{number}: expected what is excused before its reason")
            found[key] = f"{found[key]} {line.strip()}".strip()
            continue
        if key is not None and not found[key]:
            raise ValueError(f"{path.name}:{key_line}: expected the reason of `{key}`, indented")
        key, key_line = line.strip(), number
        if key in found:
            raise ValueError(f"{path.name}:{number}: `{key}` is excused twice")
        found[key] = ""
    if key is not None and not found[key]:
        raise ValueError(f"{path.name}:{key_line}: expected the reason of `{key}`, indented")
    return found
