//! Where I3D's arrays come from and what they are called there.

use crate::tensors::{Array, Arrays, TensorsError, require_shape};

/// Naming of I3D's layers in a file. Both say the same; what is saved under one can be loaded under it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// The published Kinetics weights: `Mixed_3b.Branch_1.Conv3d_0b_3x3.conv.weight`, `.bn.running_mean`.
    Kinetics,
    /// MIST's release: `mixed_3b.branch_1.1.conv3d.weight`, `.batch3d.running_mean`.
    Mist,
}

impl Names {
    /// Layers before the first Inception block, in order.
    pub(super) fn stem(self) -> [&'static str; 3] {
        match self {
            Self::Kinetics => ["Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3"],
            Self::Mist => ["conv3d_1a_7x7", "conv3d_2b_1x1", "conv3d_2c_3x3"],
        }
    }

    /// The Inception block of this number, such as `3b`.
    pub(super) fn mixed(self, number: &str) -> String {
        match self {
            Self::Kinetics => format!("Mixed_{number}"),
            Self::Mist => format!("mixed_{number}"),
        }
    }

    /// Layers within an Inception block: branch 0, both of branch 1, both of branch 2, branch 3.
    pub(super) fn branches(self) -> [&'static str; 6] {
        match self {
            Self::Kinetics => [
                "Branch_0.Conv3d_0a_1x1",
                "Branch_1.Conv3d_0a_1x1",
                "Branch_1.Conv3d_0b_3x3",
                "Branch_2.Conv3d_0a_1x1",
                "Branch_2.Conv3d_0b_3x3",
                "Branch_3.Conv3d_0b_1x1",
            ],
            Self::Mist => ["branch_0", "branch_1.0", "branch_1.1", "branch_2.0", "branch_2.1", "branch_3.1"],
        }
    }

    /// The convolution within a layer.
    pub(super) fn conv(self) -> &'static str {
        match self {
            Self::Kinetics => "conv",
            Self::Mist => "conv3d",
        }
    }

    /// The batch normalisation within a layer.
    pub(super) fn norm(self) -> &'static str {
        match self {
            Self::Kinetics => "bn",
            Self::Mist => "batch3d",
        }
    }
}

/// Arrays of an I3D.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The arrays; there may be others among them.
    pub arrays: &'a Arrays,
    /// The file or other origin, for errors.
    pub origin: &'a str,
    /// What stands before every name, such as `backbone.`.
    pub prefix: &'a str,
    /// What the layers are called.
    pub names: Names,
}

impl<'a> Source<'a> {
    /// A whole name.
    pub(super) fn name(&self, layer: &str, part: &str) -> String {
        format!("{}{layer}.{part}", self.prefix)
    }

    /// A vector of the normalisation of a layer.
    pub(super) fn norm(&self, layer: &str, part: &str, channels: usize) -> Result<&'a Array, TensorsError> {
        let name = self.name(layer, &format!("{}.{part}", self.names.norm()));
        require_shape(self.arrays, self.origin, &name, &[channels])
    }

    /// The normalisation's scale: the Kinetics weights have none, which means 1.
    pub(super) fn scale(&self, layer: &str, channels: usize) -> Result<Option<&'a Array>, TensorsError> {
        let name = self.name(layer, &format!("{}.weight", self.names.norm()));
        if self.arrays.contains_key(&name) {
            return require_shape(self.arrays, self.origin, &name, &[channels]).map(Some);
        }
        Ok(None)
    }
}
