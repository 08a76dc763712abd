FROM fastscore/engine:1.10
COPY f /assets/f
COPY tree /assets
