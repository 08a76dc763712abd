FROM fastscore/engine:1.10
COPY f /assets/f
COPY f /assets/f/g
