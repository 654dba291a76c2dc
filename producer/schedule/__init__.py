"""Reservations: when a backup is due, who may start it, and how it is run.

- ``timetable``: the moments that a cron line means, through the changes of the clock
- ``decide``: what becomes of a reservation that is due
- ``belongs``: who may run it
- ``scheduler``: claims what is due, so that nobody else starts it too
- ``run``: carries out what was claimed, in this process

``docs/schedule.md`` says what operators can rely on.
"""
