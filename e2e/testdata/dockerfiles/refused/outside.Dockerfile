FROM fastscore/engine:1.10
COPY ../f /assets/
