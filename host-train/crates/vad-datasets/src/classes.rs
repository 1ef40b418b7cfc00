//! What happens in an abnormal video, where its name says so.

use vad_eval::class_from_name;

use crate::Dataset;

impl Dataset {
    /// The class of an abnormal video by its name, as the authors write names; `None` where they do not say.
    ///
    /// | data set | name | class |
    /// |---|---|---|
    /// | UCF-Crime | `Abuse028_x264` | `Abuse` |
    /// | XD-Violence | `v=...__#1_label_G-B2-B6` | `Explosion`: of several the first |
    /// | TAD | `01_Accident_001` | `Accident` |
    #[must_use]
    pub fn class_of(self, id: &str) -> Option<&str> {
        match self {
            Self::UcfCrime => class_from_name(id),
            Self::XdViolence => xd_violence(id),
            Self::Tad => id
                .strip_prefix(|first: char| first.is_ascii_digit())
                .map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_'))
                .and_then(class_from_name),
            Self::ShanghaiTech | Self::UcsdPed2 => None,
        }
    }
}

/// The codes of Wu et al. (ECCV 2020); there is no B3.
fn xd_violence(id: &str) -> Option<&str> {
    let (_, codes) = id.rsplit_once("_label_")?;
    match codes.split('-').next()? {
        "B1" => Some("Fighting"),
        "B2" => Some("Shooting"),
        "B4" => Some("Riot"),
        "B5" => Some("Abuse"),
        "B6" => Some("Car accident"),
        "G" => Some("Explosion"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_read_as_the_authors_write_them() {
        for (dataset, id, class) in [
            (Dataset::UcfCrime, "RoadAccidents001_x264", Some("RoadAccidents")),
            (Dataset::XdViolence, "Bad.Boys.1995__#01-11-55_01-12-40_label_G-B2-B6", Some("Explosion")),
            (Dataset::XdViolence, "v=38GQ9L2meyE__#1_label_B6-0-0", Some("Car accident")),
            (Dataset::XdViolence, "v=38GQ9L2meyE__#1_label_A", None),
            (Dataset::Tad, "01_Accident_001", Some("Accident")),
            (Dataset::Tad, "Normal_001", None),
            (Dataset::ShanghaiTech, "01_0014", None),
            (Dataset::UcsdPed2, "Test001", None),
        ] {
            assert_eq!(dataset.class_of(id), class, "{id}");
        }
    }
}
