"""Boards, and the images on them."""
