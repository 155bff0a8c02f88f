# bash completion of e2eeftp
#   e2eeftp completion bash > ~/.local/share/bash-completion/completions/e2eeftp
#   or, in ~/.bashrc: source <(e2eeftp completion bash)

# Puts a word as the shell would read it into plain, and its open quote into quote. Expands nothing.
__e2eeftp_unquote() {
  local word=$1 char next i
  plain='' quote=''
  for ((i = 0; i < ${#word}; i++)); do
    char=${word:i:1}
    case $quote$char in
      \\) ((i++)) || true; plain+=${word:i:1} ;;
      \' | \") quote=$char ;;
      \'\' | \"\") quote='' ;;
      \"\\)
        next=${word:i+1:1}
        case $next in
          [\"\\\$\`]) plain+=$next; ((i++)) || true ;;
          *) plain+=$char ;;
        esac
        ;;
      *) plain+=$char ;;
    esac
  done
}

_e2eeftp() {
  local plain quote word rest=$COMP_LINE i count=0 over
  local words=()
  COMPREPLY=()
  # Words that no blank separates are one word that COMP_WORDBREAKS has cut.
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if ((i > 0)) && [[ -n $rest && $rest != [[:space:]]* ]]; then
      words[count-1]+=$word
    elif ((i > 0)) && [[ -z $word && $COMP_LINE != *[[:space:]] ]]; then
      continue
    else
      rest=${rest#"${rest%%[![:space:]]*}"}
      words[count]=$word
      ((count++)) || true
    fi
    rest=${rest#"$word"}
  done
  # What is behind the cursor does not count.
  over=$((${#COMP_LINE} - ${#rest} - COMP_POINT))
  local current=${words[count-1]}
  if ((over > 0 && over <= ${#current})); then current=${current:0:${#current}-over}; fi

  local call=()
  for ((i = 0; i < count - 1; i++)); do
    __e2eeftp_unquote "${words[i]}"
    call+=("$plain")
  done
  # bash has cut the word there, unless in quotes.
  local head=''
  case $COMP_WORDBREAKS in *:*) [[ $current == *:* ]] && head=${current%"${current##*:}"} ;; esac
  case $COMP_WORDBREAKS in
    *=*) [[ ${current#"$head"} == *=* ]] && head=${current%"${current##*=}"} ;;
  esac
  __e2eeftp_unquote "$head"
  [[ -z $quote ]] || plain=''
  head=$plain
  __e2eeftp_unquote "$current"
  current=$plain

  local line text tail local_names=''
  local candidates=()
  while IFS= read -r line; do
    case $line in
      :*) local_names=${line#:} ;;
      *) candidates+=("${line%%$'\t'*}") ;;
    esac
  done < <("${call[0]}" __complete "${call[@]:1}" ":$current" 2>/dev/null </dev/null)

  if ((${#candidates[@]} == 0)); then
    # bash's own completion of names does its own quoting; before bash 4 there is no turning it off.
    case $local_names in
      files) compopt -o default +o nospace 2>/dev/null ;;
      directories) compopt -o dirnames +o default +o nospace 2>/dev/null ;;
      *) compopt +o default 2>/dev/null ;;
    esac
    return 0
  fi
  if [[ $local_names == files ]]; then
    while IFS= read -r line; do
      if [[ -d $line ]]; then candidates+=("$line/"); else candidates+=("$line"); fi
    done < <(compgen -f -- "$current")
  fi
  for text in "${candidates[@]}"; do
    tail=${text#"$head"}
    if [[ -z $quote ]]; then
      [[ -z $tail ]] || printf -v tail %q "$tail"
      case $text in *[/:=]) ;; *) tail+=' ' ;; esac
    elif [[ $quote == '"' ]]; then
      tail=${tail//\\/\\\\}
      tail=${tail//\"/\\\"}
      tail=${tail//\$/\\\$}
      tail=${tail//\`/\\\`}
    fi
    COMPREPLY+=("$tail")
  done
}

complete -o default -o nospace -F _e2eeftp e2eeftp
