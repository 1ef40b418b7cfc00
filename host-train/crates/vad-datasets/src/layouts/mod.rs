//! One file per data set: which lists and annotations its users have, and what they say.

mod shanghaitech;
mod tad;
mod ucf_crime;
mod ucsd_ped2;
mod xd_violence;

use crate::error::Faults;
use crate::lists::Lists;
use crate::{Dataset, ImportError, Tree};

/// Reads the lists and annotations of a data set.
///
/// # Errors
/// A list is missing, or a line of one is wrong.
pub(crate) fn read(dataset: Dataset, tree: &Tree, faults: &mut Faults) -> Result<Lists, ImportError> {
    match dataset {
        Dataset::UcfCrime => ucf_crime::read(tree, faults),
        Dataset::ShanghaiTech => shanghaitech::read(tree, faults),
        Dataset::XdViolence => xd_violence::read(tree, faults),
        Dataset::Tad => tad::read(tree),
        Dataset::UcsdPed2 => ucsd_ped2::read(tree, faults),
    }
}
