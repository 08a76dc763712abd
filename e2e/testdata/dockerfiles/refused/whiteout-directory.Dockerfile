FROM fastscore/engine:1.10
WORKDIR /assets/.wh.f
