"""Lists of waves and texts as other trainers read them, a file a trainer."""
