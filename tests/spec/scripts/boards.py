"""Boards and images: ``boards.py URL PICTURE FOLDER``."""

import sys
from pathlib import Path

from invokeai_py_client import Board, BoardRepository, ImageCategory, InvokeAIClient, IvkImage
from invokeai_py_client.board import BoardHandle
from invokeai_py_client.quick import QuickClient

url, picture, folder = sys.argv[1:]
client = InvokeAIClient.from_url(url)
repo: BoardRepository = client.board_repo
one: BoardHandle = repo.create_board("script one")
two = repo.create_board("script two")
image: IvkImage = one.upload_image(picture, image_category=ImageCategory.CONTROL)
data = Path(picture).read_bytes()
other = one.upload_image_data(data, "other.png", is_intermediate=False)
print("uploaded", image.board_id == one.board_id, image.image_category.value)

names = one.list_images(limit=20, starred_first=True)
print("listed", len(names), image.image_name in names)
for name in names:
    copy = Path(folder) / name
    with copy.open("wb") as file:
        file.write(one.download_image(name, full_resolution=True))
print("downloaded", sorted(path.suffix for path in Path(folder).iterdir()))
print("starred", one.star_image(names[0]), one.unstar_image(names[0]))
print("moved", one.move_image_to(names[0], two.board_id), one.get_image_count(), two.get_image_count())
print("by name", repo.move_image_to_board_by_name(names[1], "script two"), two.get_image_count())
print("where", repo.get_image_current_board_id(names[1]) == two.board_id)
print("removed", two.remove_image(names[1]), repo.get_image_current_board_id(names[1]))
copied = QuickClient(client).copy_image_to_board(other.image_name, one.board_id)
print("copied", copied is not None and copied.image_name != other.image_name, one.get_image_count())
print("deleted", two.delete_image(names[0]), repo.get_uncategorized_handle().delete_image(names[1]))
boards: list[Board] = repo.list_boards(include_uncategorized=True)
print("boards", [board.board_name for board in boards if board.board_name.startswith("script")])
print(
    "uncategorized", repo.get_uncategorized_board().is_uncategorized(), repo.get_board_handle(None).board_id
)
renamed = repo.update_board(two.board_id, name="script three")
print("renamed", renamed.board_name if renamed else None, repo.get_board_handle_by_name("script two"))
print("gone", [repo.delete_board(board.board_id, delete_images=True) for board in (one, two)])
client.close()
