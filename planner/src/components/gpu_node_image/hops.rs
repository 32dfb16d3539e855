//! The hop of images: to one release, from those that the groups have.

use super::{GpuNodeImage, site, site::Site};
use crate::{component::DocCx, hop::HopSpec};

/// The hop of one document, with what was found.
pub(super) fn of(at: &DocCx<'_, GpuNodeImage>) -> Option<(HopSpec, Site)> {
    let site = site::find(at)?;
    // Titles of groups say each its own.
    let from = site.groups.iter().map(|group| &group.release).min().cloned();
    Some((HopSpec { from, ..at.asked() }, site))
}
