"""Git repositories that workloads are deployed from, through dulwich: the extra ``git``."""
