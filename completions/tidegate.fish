# fish completion for tidegate: the program itself knows what fits.
TIDEGATE_COMPLETE=fish tidegate | source
