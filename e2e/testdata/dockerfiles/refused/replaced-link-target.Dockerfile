FROM fastscore/engine:1.10
ADD hard.tar /assets/
COPY f /assets/one
