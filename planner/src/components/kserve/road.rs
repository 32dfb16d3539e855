//! What every part of a hop looks at.

use std::ops::Deref;

use switchback_schemas::{
    inventory::kserve::Kserve as Section, lock::Render, manifest::AcceptedDeletion, name::ObjectName,
};

use super::{Kserve, releases::Moved};
use crate::component::HopCx;

/// One hop with what was observed and what its releases become.
pub(super) struct Road<'a> {
    pub(super) at: &'a HopCx<'a, Kserve>,
    pub(super) section: &'a Section,
    pub(super) renders: Vec<(&'a Moved, &'a Render)>,
    pub(super) accepted: Vec<(ObjectName, Vec<AcceptedDeletion>)>,
}

impl<'a> Deref for Road<'a> {
    type Target = HopCx<'a, Kserve>;

    fn deref(&self) -> &HopCx<'a, Kserve> {
        self.at
    }
}
