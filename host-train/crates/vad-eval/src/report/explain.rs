//! What each figure means, in plain words.

const FIGURES: [(&str, &str); 12] = [
    (
        "Frame ROC AUC",
        "Take one abnormal and one normal frame at random: how often does the abnormal one score higher? Equal scores count half. \
         It does not depend on a threshold, and it does not see how rare abnormal frames are.",
    ),
    (
        "PR AUC, trapezoidal, and average precision, step-wise",
        "Precision is the share of right calls among the frames called abnormal, recall the share of abnormal frames that are called. \
         Both figures are the area under the curve of one against the other. The trapezoidal one joins the points by straight lines and \
         is what the code released with papers on XD-Violence prints as AP; the step-wise one does not interpolate and is what \
         textbooks call average precision. Never compare one with the other.",
    ),
    (
        "FAR at 0.5",
        "Share of normal frames with a score strictly above 0.5: over all normal frames, and over the frames of normal videos only. \
         Papers print the one or the other. It says little about alarms, because the threshold of a board is chosen, not 0.5.",
    ),
    (
        "Score gap and RMSE",
        "The mean score of abnormal frames minus that of normal ones, and the root of the mean squared distance between score and label. \
         Both move with the scale of the scores.",
    ),
    (
        "95 % intervals",
        "How far a figure could have come out otherwise with other test videos of the same kind: whole videos are drawn again, with \
         replacement, and the middle 95 % of the figures are shown. Frames of one video resemble each other and are never drawn \
         singly. With fewer than about 20 videos the interval is too narrow. It says nothing about other seeds.",
    ),
    (
        "ROC AUC, abnormal videos only",
        "The frame figure over abnormal videos alone: does the score point at the right part of a video, rather than at the right video? \
         A class's figure <em>within</em> is the same for its videos; against normal videos, it asks whether such anomalies stand out \
         at all.",
    ),
    (
        "Map of clip features",
        "Drawn on request. Each dot is a clip; t-SNE puts those with like features together. Abnormal clips amid normal ones cannot be \
         told apart by any detector on these features.",
    ),
    (
        "Video ROC AUC",
        "The same question as the frame figure, asked of whole videos by their greatest score. It is all that can be said about footage \
         whose abnormal ranges nobody noted.",
    ),
    (
        "Events found",
        "An event is an annotated abnormal range. It is found when an alarm covers a part of it, from the alarm's onset to its clearing.",
    ),
    (
        "Mean delay",
        "From the onset of a found event to the first alarm raised at or after it. A clip is scored when its last frame has come, so the \
         length of a clip is part of the delay. An event met only by an alarm that was already standing has none.",
    ),
    (
        "False alarms per camera-day",
        "Alarms that cover no part of any true range, per 24 hours of normal time on one camera. The 95 % bound says what the footage can \
         rule out: without a single false alarm in D days the true rate may still be 3 / D per day.",
    ),
    (
        "Undefined",
        "A figure that the data cannot give, such as an AUC without abnormal frames. It is never replaced by 0 or 0.5.",
    ),
];

pub(super) fn section() -> String {
    let items: String =
        FIGURES.iter().map(|(name, text)| format!("<div><dt>{name}</dt><dd>{text}</dd></div>\n")).collect();
    format!("<section><h2>What the figures mean</h2><dl>\n{items}</dl></section>\n")
}
