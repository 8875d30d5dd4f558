"""From a workflow file to a request, as functions of data: no I/O."""
