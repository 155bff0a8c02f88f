# fish completion of e2eeftp
#   e2eeftp completion fish > ~/.config/fish/completions/e2eeftp.fish

function __e2eeftp_complete
    set -l words (commandline -opc)
    set -l raw (commandline -ct)
    set -l current (string unescape -- "$raw")
    or set current "$raw"
    set -l lines ($words[1] __complete $words[2..-1] ":$current" 2>/dev/null </dev/null)
    for line in $lines
        switch $line
            case ':files'
                __fish_complete_path "$current"
            case ':directories'
                __fish_complete_directories "$current"
            case ':*'
            case '*'
                echo $line
        end
    end
end

complete -c e2eeftp -f -a '(__e2eeftp_complete)'
