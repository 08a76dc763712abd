# Completes $LINE with the script $SCRIPT as zsh does at a prompt, and leaves
# what it would offer in the file $HITS.
autoload -Uz compinit
compinit -u -D
source $SCRIPT

compadd() {
    local -a hits flags=("${(@)@[1,(i)(-|--)]}")
    if (( ! ${flags[(I)-[OAD]]} )); then # else a function asks for itself
        builtin compadd -A hits "$@"
        (( $#hits )) && print -rl -- $hits >>$HITS
    fi
    builtin compadd "$@"
}

zle-line-init() {
    BUFFER=$LINE CURSOR=$#LINE
    zle complete-word
    BUFFER=exit
    zle accept-line
}
zle -N zle-line-init
