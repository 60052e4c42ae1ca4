# elvish completion for tidegate: the program itself knows what fits.
eval (E:TIDEGATE_COMPLETE=elvish tidegate | slurp)
