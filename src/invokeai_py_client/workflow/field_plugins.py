"""Version 1 let programs register how the type of a field is guessed. Nothing is guessed any more."""

raise ImportError(
    "invokeai_py_client.workflow.field_plugins is gone: the types of fields come from the server's own schema, "
    "custom nodes included, so there is nothing to detect or to register. See docs/migration.md."
)
