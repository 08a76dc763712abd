FROM fastscore/engine:1.10
ADD whiteouts.tar /assets/
