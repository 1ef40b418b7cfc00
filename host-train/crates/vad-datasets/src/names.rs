//! Names of videos in paths of any system: `G:\Train\Abuse001_x264_i3d.npy` and `Abuse/Abuse001_x264.mp4` mean one video.

use std::path::Path;

use vad_data::is_video_file;

/// What feature files append to the name of their video.
const FEATURE_SUFFIXES: [&str; 4] = ["_i3d_rgb", "_i3d", "_c3d", "_rgb"];
const ARRAY_EXTENSIONS: [&str; 3] = ["npy", "h5", "hdf5"];

/// The name of a feature file, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FeatureName<'a> {
    /// The video.
    pub(crate) id: &'a str,
    /// Which crop, in layouts of one file per crop.
    pub(crate) crop: Option<usize>,
}

/// The last part of a path, whichever slash it is written with.
pub(crate) fn file_name(path: &str) -> &str {
    let path = path.trim().trim_end_matches(['/', '\\']);
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// The id of the video that a path names.
pub(crate) fn video_id(path: &str) -> &str {
    without_extensions(file_name(path))
}

/// The video that a feature file or a data set within one is of, and the crop: `NAME__3.npy`, `NAME_i3d.npy`, `NAME.npy`.
pub(crate) fn feature_name(path: &str) -> FeatureName<'_> {
    let stem = without_extensions(file_name(path));
    let (stem, crop) = match stem.rsplit_once("__") {
        Some((head, digits)) if !head.is_empty() && is_crop_number(digits) => (head, digits.parse().ok()),
        _ => (stem, None),
    };
    let stem = without_extensions(stem);
    let id = FEATURE_SUFFIXES.iter().find_map(|suffix| stem.strip_suffix(suffix)).unwrap_or(stem);
    FeatureName { id, crop }
}

fn is_crop_number(digits: &str) -> bool {
    (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Names such as `01_Accident_001.mp4.npy` have two of them.
fn without_extensions(name: &str) -> &str {
    let mut rest = name;
    while let Some((stem, extension)) = rest.rsplit_once('.') {
        let is_array = ARRAY_EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known));
        if stem.is_empty() || !(is_array || is_video_file(Path::new(rest))) {
            break;
        }
        rest = stem;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_video_has_many_spellings() {
        for path in [
            "Abuse/Abuse001_x264.mp4",
            "Abuse001_x264",
            r"G:\UCF_Train_ten_crop_i3d\Abuse001_x264_i3d.npy",
            "/data/Abuse001_x264.npy\r",
            "Abuse001_x264__9.npy",
            "Abuse001_x264.mp4.npy",
            "frames/Abuse001_x264.mp4/",
        ] {
            assert_eq!(feature_name(path).id, "Abuse001_x264", "{path}");
        }
    }

    #[test]
    fn crops_are_told_from_what_looks_like_them() {
        fn name(path: &str) -> (String, Option<usize>) {
            let FeatureName { id, crop } = feature_name(path);
            (id.to_owned(), crop)
        }
        let is = |id: &str, crop| (id.to_owned(), crop);
        let movie = "Bad.Boys.1995__#00-26-51_00-27-53_label_B2-0-0";
        assert_eq!(name(&format!("RGB/{movie}__4.npy")), is(movie, Some(4)));
        assert_eq!(name(movie), is(movie, None));
        let web = "v=-fOWSLV6Esw__#1_label_B4-0-0";
        assert_eq!(name(&format!("{web}__0.npy")), is(web, Some(0)));
        assert_eq!(name(&format!("{web}.npy")), is(web, None));
        assert_eq!(name("01_0014.npy"), is("01_0014", None));
        assert_eq!(name("__3.npy"), is("__3", None));
        assert_eq!(video_id("Normal_Videos_003_x264.mp4"), "Normal_Videos_003_x264");
    }
}
