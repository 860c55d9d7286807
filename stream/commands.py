"""The online commands, for the front door: sources of ECG, roles, tools.

Every command imports its role only when it is called, so that help is there at once.
"""

from stream import role_commands, source_commands, tool_commands
from stream.front import app

__all__ = ["app", "role_commands", "source_commands", "tool_commands"]
