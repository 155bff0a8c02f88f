# PowerShell completion of e2eeftp; in your profile:
#   e2eeftp completion powershell | Out-String | Invoke-Expression

Register-ArgumentCompleter -Native -CommandName e2eeftp -ScriptBlock {
  param($current, $ast, $cursor)
  $words = @($ast.CommandElements | Select-Object -Skip 1 |
    Where-Object { $_.Extent.EndOffset -lt $cursor } |
    ForEach-Object { if ($_.Value -is [string]) { $_.Value } else { $_.Extent.Text } })
  $typed = $current.Trim("'", '"')
  foreach ($line in @(& e2eeftp __complete @words ":$typed" 2>$null)) {
    if ($line.StartsWith(':')) { continue }
    $text, $description = $line -split [char]9, 2
    if (-not $description) { $description = $text }
    $shown = $text
    if ($text -match '[^A-Za-z0-9_./:=@%+,-]') { $shown = "'" + $text.Replace("'", "''") + "'" }
    [System.Management.Automation.CompletionResult]::new($shown, $text, 'ParameterValue', $description)
  }
}
