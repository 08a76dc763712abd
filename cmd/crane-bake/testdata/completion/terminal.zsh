# Runs a zsh at a terminal that reads $SETUP and then completes; shows what that
# terminal would.
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'source $SETUP'
while zpty -r shell chunk; do print -rn -- $chunk; done
