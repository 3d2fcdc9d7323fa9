"""Earned trust: how far a policy may go, and what its actions were worth.

`modes` limits the mode that a policy asks for, `ceilings` reads what a namespace's administrator
allows, `board` counts outcomes, `streaks` demotes, `ladder` recommends.
"""
