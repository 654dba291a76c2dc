"""Reservations: when a backup is due, who may start it, and how it is run.

- ``timetable``: the moments that a cron line means, through the changes of the clock
- ``decide``: whether a due reservation runs, waits, or is skipped
- ``belongs``: who may run it
- ``scheduler``: claims what is due, so that it runs only once
- ``run``: runs what was claimed, in this process

``docs/schedule.md`` says what operators can rely on.
"""
