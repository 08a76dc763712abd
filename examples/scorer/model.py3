# fastscore.schema.0: inputsch
# fastscore.schema.1: outputsch

"""Probability that a borrower misses payments for 90 days within two years.

A logistic regression. Each feature is scaled to zero mean and unit deviation
before its weight applies, so the weights can be compared with each other. The
numbers are made up for this example: fit your own before you lend money.
"""

import math

INTERCEPT = -2.64

# feature: (mean, standard deviation, weight)
FEATURES = {
    "age": (52.3, 14.8, -0.37),
    "utilization": (0.32, 0.35, 0.88),
    "debt_ratio": (0.35, 0.24, 0.21),
    "late_payments": (0.38, 1.05, 0.64),
}

# Lowest probability of each band, worst band first.
BANDS = [(0.30, "high"), (0.10, "medium"), (0.0, "low")]


def probability(applicant):
    """Default probability of one applicant, between 0 and 1."""
    z = INTERCEPT
    for name, (mean, deviation, weight) in FEATURES.items():
        z += weight * (applicant[name] - mean) / deviation
    # exp of a large positive number overflows; of a negative one it does not.
    if z >= 0:
        return 1.0 / (1.0 + math.exp(-z))
    return math.exp(z) / (1.0 + math.exp(z))


def band(p):
    """Name of the risk band that probability p falls into."""
    return next(name for lowest, name in BANDS if p >= lowest)


def begin():
    """Runs once, before the first record."""
    global scored
    scored = 0


def action(applicant):
    """Runs for each record of slot 0; what it yields goes to slot 1."""
    global scored
    p = probability(applicant)
    scored += 1
    yield {"id": applicant["id"], "probability": p, "band": band(p)}


def end():
    """Runs once, after the last record."""
    print("scored {} applicants".format(scored))
