use proptest::prelude::*;

use super::*;

fn fault(text: &str) -> RowFault {
    parse(text.as_bytes()).expect_err(text)
}

#[test]
fn faults_name_line_column_and_remedy() {
    let cases = [
        ("video,label\na,normal\nb,abnromal\n", 3, "label", "did you mean `abnormal`?"),
        ("video,label\na,normal\n\n# note\nb,\n", 5, "label", "missing"),
        ("video,label\na\n", 2, "label", "missing"),
        ("video,label\r\na,normal\r\n  \r\n# note\r\n\r\nb,\r\n", 6, "label", "missing"),
        ("# note\nvideo,label\n\"a\nb\",normal\nc,\n", 5, "label", "missing"),
        ("video,label\n,normal\n", 2, "video", "missing"),
        ("video,label\na,1\n", 2, "label", "labels are `normal` and `abnormal`"),
        ("video,label\na,normal,3\n", 2, "video", "double quotes"),
        ("video,label,n_frames\na,normal,many\n", 2, "n_frames", "whole number"),
        ("video,label,n_frames\na,normal,0\n", 2, "n_frames", "without frames"),
        ("video,label,n_frames\na,normal,-4\n", 2, "n_frames", "whole number"),
        ("video,label,first_abnormal,last_abnormal\na,abnormal,5,\n", 2, "last_abnormal", "both or none"),
        ("video,label,first_abnormal,last_abnormal\na,abnormal,,5\n", 2, "first_abnormal", "both or none"),
        ("video,label,first_abnormal,last_abnormal\na,abnormal,9,5\n", 2, "first_abnormal", "swap"),
        ("video,label,first_abnormal,last_abnormal\na,normal,1,5\n", 2, "first_abnormal", "normal video"),
        ("video,label,n_frames,abnormal_frames\na,abnormal,10,3-10\n", 2, "abnormal_frames", "count from 0"),
        ("video,label,abnormal_frames\na,abnormal,1-3;2-5\n", 2, "abnormal_frames", "overlap"),
        (
            "video,label,first_abnormal,last_abnormal,abnormal_frames\na,abnormal,1,2,1-2\n",
            2,
            "abnormal_frames",
            "keep one",
        ),
        ("video,label,class\na,normal,fall\n", 2, "class", "clear the class"),
        ("video,lable\na,normal\n", 1, "", "did you mean `label`?"),
        ("video\na\n", 1, "", "`label` is missing"),
        ("video,label,label\na,normal,normal\n", 1, "", "twice"),
        ("video;label\na;normal\n", 1, "", "known columns"),
        ("", 1, "", "`video` is missing"),
    ];
    for (text, line, column, part) in cases {
        let fault = fault(text);
        assert_eq!((fault.line, fault.column.as_str()), (line, column), "{text:?}: {fault:?}");
        assert!(fault.problem.contains(part), "{text:?}: {fault:?}");
    }
    assert!(parse(b"video,label\n\xFF\xFE,normal\n").unwrap_err().problem.contains("UTF-8"));
}

#[test]
fn order_of_columns_spaces_and_byte_order_mark_do_not_matter() {
    let rows = parse(
        "\u{FEFF}label , video,abnormal_frames\r\nabnormal,\"a, b\", 10-20;40-55\r\nnormal,c,\r\n".as_bytes(),
    )
    .unwrap();
    assert_eq!(rows[0].video, "a, b");
    assert_eq!(rows[0].abnormal, Some(vec![10..=20, 40..=55]));
    assert_eq!(rows[1].abnormal, Some(Vec::new()), "a normal video needs no annotation");
    assert_eq!(parse(b"video,label\na,abnormal\n").unwrap()[0].abnormal, None, "an abnormal one does");
}

fn ranges_from(steps: &[(u64, u64)]) -> Vec<RangeInclusive<u64>> {
    let mut at = 0;
    let next = |&(gap, length): &(u64, u64)| {
        let first = at + gap;
        at = first + length + 1;
        first..=first + length
    };
    steps.iter().map(next).collect()
}

prop_compose! {
    fn entry()(
        id in "[a-zA-Z0-9 _.,\"#/-]{0,10}[a-z]",
        abnormal in any::<bool>(),
        steps in prop::collection::vec((0_u64..50, 0_u64..50), 1..4),
        annotated in any::<bool>(),
        spare in prop::option::of(1_u64..100),
        class in prop::option::of("[a-zA-Z][a-zA-Z ,\"#-]{0,8}[a-z]"),
    ) -> VideoEntry {
        let id = id.trim().to_owned();
        let mut entry = VideoEntry::new(id, "", if abnormal { Label::Abnormal } else { Label::Normal });
        if abnormal && annotated {
            entry.abnormal = Some(ranges_from(&steps));
        }
        entry.class = class.filter(|_| abnormal);
        let last = entry.abnormal.as_ref().and_then(|ranges| ranges.last()).map_or(0, |range| *range.end());
        entry.frames_claimed = spare.map(|spare| last + spare);
        entry
    }
}

proptest! {
    #[test]
    fn what_is_rendered_is_parsed(entries in prop::collection::vec(entry(), 0..8)) {
        let rows = parse(render_labels(&entries).as_bytes()).unwrap();
        prop_assert_eq!(rows.len(), entries.len());
        for (row, entry) in rows.iter().zip(&entries) {
            prop_assert_eq!(&row.video, &entry.id);
            prop_assert_eq!((row.label, row.frames, &row.abnormal), (entry.label, entry.frames_claimed, &entry.abnormal));
            prop_assert_eq!(&row.class, &entry.class);
        }
    }

    #[test]
    fn hostile_text_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "(video|label|n_frames|,|\n|\"|a|-|;|0|9|normal){0,60}") {
        let _ = parse(&bytes);
        let _ = parse(text.as_bytes());
        let _ = parse(format!("video,label,n_frames,abnormal_frames\n{text}").as_bytes());
    }
}
