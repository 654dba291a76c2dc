"""Who may do what no two processes may do at once: locks in the catalog, each with an owner.

- ``verdict``: whether an owner lives
- ``lock_holder``: this process as an owner: takes locks, renews itself, takes over from owners that are gone
- ``heartbeat``: the thread that renews it
- ``unlock``: removes the locks of owners that are gone

``docs/locks.md`` says what operators can rely on.
"""
