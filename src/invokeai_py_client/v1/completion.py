"""Members of version 1 that completion does not suggest. They keep working; each has a shorter way in version 2."""

from __future__ import annotations

from collections.abc import Mapping

HIDDEN: Mapping[str, frozenset[str]] = {
    name: frozenset(members.split())
    for name, members in {
        "InvokeAIClient": """
            base_url board_repo cancel_job create_workflow dnn_model_repo get_job get_model_info image_repo list_jobs
            list_models make_request queue_repo workflow_repo
        """,
        "WorkflowRepository": """
            create_workflow_from_dict create_workflow_from_file download_workflow list_available_workflows
        """,
        "BoardRepository": """
            clear_cache get_image_by_name get_image_current_board_id get_uncategorized_board
            move_image_to_board_by_name
        """,
        "WorkflowHandle": """
            cancel cancel_async get_input get_input_value get_queue_item list_inputs list_outputs map_outputs_to_images
            session_id set_input_value submit submit_and_monitor submit_sync submit_sync_monitor_async
            wait_for_completion wait_for_completion_sync
        """,
    }.items()
}
"""The names, by class. Subclasses and the asynchronous classes hide the same names."""
