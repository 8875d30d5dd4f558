"""The gallery: images and videos in one list, and days."""
