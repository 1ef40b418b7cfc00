"""Frame AUC and average precision of scikit-learn on the frames of UCF-Crime's test: metrics.py WARM_UP STEPS."""

import sys

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from timing import report

FRAMES = 1_114_144
POSITIVE = 84_343
CLIP_FRAMES = 16


def main() -> None:
    warm_up, steps = map(int, sys.argv[1:])
    rng = np.random.default_rng(1)
    scores = np.repeat(rng.random(FRAMES // CLIP_FRAMES, dtype=np.float32), CLIP_FRAMES)
    truth = np.zeros(FRAMES, dtype=bool)
    truth[:POSITIVE] = True

    def step() -> None:
        roc_auc_score(truth, scores)
        average_precision_score(truth, scores)

    report(step, warm_up, steps)


main()
