//! Settings for all variants of an ablation, parted between those who take them.

use crate::recipe::mist_stage2_config::Stage2Config;
use crate::recipe::registry::STARTING_POINT;
use anyhow::{Context, Result};
use toml::{Table, Value};

/// What stands before the settings of MIST's second stage; in a file they are a table of this name.
const STAGE2: &str = "stage2";

/// What the user sets.
#[derive(Debug, PartialEq)]
pub struct Given {
    /// For recipes on features, MIST's first stage among them.
    pub features: Table,
    /// For MIST's second stage.
    pub stage2: Table,
}

impl Given {
    /// Settings for recipes on features alone.
    pub fn features(given: Table) -> Self {
        Self { features: given, stage2: Table::new() }
    }

    /// Parts settings by their names: `stage2.KEY` is the second stage's.
    ///
    /// # Errors
    /// When the second stage has no such setting, or a value is wrong for it.
    pub fn part(given: Table) -> Result<Self> {
        let (mut features, mut stage2) = (Table::new(), Table::new());
        for (key, value) in given {
            let own = key.strip_prefix(STAGE2).and_then(|rest| rest.strip_prefix('.')).map(str::to_owned);
            match (own, value) {
                (Some(own), value) => drop(stage2.insert(own, value)),
                (None, Value::Table(all)) if key == STAGE2 => stage2.extend(all),
                (None, value) => drop(features.insert(key, value)),
            }
        }
        // Before the data set counts, which the second stage may not have been published for.
        Stage2Config::resolve(&stage2).with_context(|| format!("{STAGE2}, that is MIST's second stage"))?;
        // Both stages begin with the same.
        for key in STARTING_POINT {
            if let (false, Some(value)) = (stage2.contains_key(key), features.get(key)) {
                stage2.insert(key.to_owned(), value.clone());
            }
        }
        Ok(Self { features, stage2 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_stage_has_settings_of_its_own_and_begins_where_the_others_do() {
        let flat = Table::from_iter([
            ("steps".to_owned(), 7.into()),
            ("dataset".to_owned(), "shanghaitech".into()),
            ("stage2.epochs".to_owned(), 2.into()),
        ]);
        let nested = "steps = 7\ndataset = 'shanghaitech'\nstage2.epochs = 2".parse().unwrap();
        let want = Given {
            features: "steps = 7\ndataset = 'shanghaitech'".parse().unwrap(),
            stage2: "epochs = 2\ndataset = 'shanghaitech'".parse().unwrap(),
        };
        assert_eq!(Given::part(flat).unwrap(), want);
        assert_eq!(Given::part(nested).unwrap(), want);
    }

    #[test]
    fn a_setting_that_the_second_stage_has_not_is_refused_by_name() {
        let error = |text: &str| format!("{:#}", Given::part(text.parse().unwrap()).unwrap_err());
        assert!(error("stage2.epoch = 3").contains("epochs"));
        assert!(error("stage2.epochs = 'many'").contains("many"));
    }
}
