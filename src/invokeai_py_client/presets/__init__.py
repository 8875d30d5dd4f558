"""Style presets: texts around prompts, saved on the server."""
