# Completion of packetctl for bash: commands and their words come from its own --help, objects from what it knows.
# Installed by `make install`; by hand: source this file.

_packetctl_objects() {
    packetctl "$@" --json events 2>/dev/null | grep -o '"object":"[^"]*"' | cut -d'"' -f4 | sort -u
}

_packetctl() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} help command='' options=() i
    help=$(packetctl --help 2>/dev/null)
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            --runtime-dir | --socket) options=("${COMP_WORDS[i]}" "${COMP_WORDS[++i]}") ;;
            -*) ;;
            *) command=${command:-${COMP_WORDS[i]}} ;;
        esac
    done
    if [[ $before == --runtime-dir ]]; then
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
    elif [[ $before == --socket ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    elif [[ $command == '' ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(sed -n '/^Commands:/,/^Options:/s/^  \([a-z][a-z]*\).*/\1/p' <<<"$help")
            --runtime-dir --socket --json --help --version" -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -W "$(case $command in
            explain | retry) _packetctl_objects "${options[@]}" ;;
            quarantine) [[ $before == release ]] && { _packetctl_objects "${options[@]}"; echo --all; } || echo list release ;;
            scale) echo workers ;;
            restart) echo worker watcher packet-gateway exporter --rolling ;;
            loglevel) echo debug info error ;;
        esac)" -- "$word")
    fi
}
complete -F _packetctl packetctl
