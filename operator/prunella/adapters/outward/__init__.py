"""Systems outside the cluster that are told or called: one file for each."""
