FROM fastscore/engine:1.10
COPY links /assets
COPY f /assets/dir/f
