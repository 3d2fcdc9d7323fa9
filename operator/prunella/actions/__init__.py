"""Actions: one file each; they plan effects as data and execute nothing."""
