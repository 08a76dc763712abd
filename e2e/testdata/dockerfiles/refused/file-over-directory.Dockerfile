FROM fastscore/engine:1.10
COPY tree /assets
COPY flat /assets
