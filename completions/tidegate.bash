# bash completion for tidegate: the program itself knows what fits.
eval "$(TIDEGATE_COMPLETE=bash tidegate)"
