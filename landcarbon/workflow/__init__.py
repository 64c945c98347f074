"""The tool: one region from profiles to maps and a report, from Python or from a terminal."""
