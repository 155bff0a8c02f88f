#compdef e2eeftp
# zsh completion of e2eeftp
#   e2eeftp completion zsh > "${fpath[1]}/_e2eeftp"
#   or, in ~/.zshrc behind compinit: source <(e2eeftp completion zsh)

_e2eeftp() {
  local line text local_names=''
  local -a lines going going_shown whole whole_shown
  lines=("${(@f)$("${(Q)words[1]}" __complete "${(@Q)words[2,CURRENT-1]}" ":${(Q)PREFIX}" 2>/dev/null </dev/null)}")
  for line in $lines; do
    if [[ $line == :* ]]; then
      local_names=${line#:}
      continue
    fi
    text=${line%%$'\t'*}
    [[ $line == *$'\t'* ]] && line="$text  -- ${line#*$'\t'}"
    if [[ $text == *[/:=] ]]; then
      going+=("$text") going_shown+=("$line")
    else
      whole+=("$text") whole_shown+=("$line")
    fi
  done
  local found=1
  (( $#going )) && compadd -l -S '' -d going_shown -a going && found=0
  (( $#whole )) && compadd -l -d whole_shown -a whole && found=0
  case $local_names in
    files) _files && found=0 ;;
    directories) _files -/ && found=0 ;;
  esac
  return found
}

# As an autoloaded function it is called, when sourced it is registered.
if [[ ${funcstack[1]} == _e2eeftp ]]; then _e2eeftp "$@"; else compdef _e2eeftp e2eeftp; fi
