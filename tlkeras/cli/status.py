"""Exit status: 0 done, 1 a check failed or the disk refused, 2 wrong usage or input."""

CHECK_FAILED, WRONG_INPUT, INTERRUPTED = 1, 2, 130
