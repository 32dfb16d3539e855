//! Karpenter.

use super::Wakes;
use crate::world::{Change, Key, World};

pub(super) fn notice(_world: &World, _change: &Change) -> Wakes {
    Vec::new()
}

pub(super) fn act(_world: &mut World, _key: &Key) {}
