# PowerShell completion for tidegate: the program itself knows what fits.
$env:TIDEGATE_COMPLETE = "powershell"
tidegate | Out-String | Invoke-Expression
Remove-Item Env:\TIDEGATE_COMPLETE
