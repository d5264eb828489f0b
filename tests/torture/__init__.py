"""Kills, hostile files, full disks: `python -m tests.torture`, one table in the end."""
