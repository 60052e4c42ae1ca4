# elvish completion for tidegate: the program itself knows what fits.
eval (env TIDEGATE_COMPLETE=elvish tidegate | slurp)
