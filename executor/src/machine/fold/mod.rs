//! The state of a run: a fold over the records of its journal, total and pure. A record that does not follow from those
//! before it is refused, and changes nothing. Nothing here decides what happens next.

mod census;
mod cleanup;
pub(super) mod direction;
mod illegal;
mod index;
mod lost_calls;
pub(super) mod place;
mod place_event;
mod residue;
pub(super) mod retry;
mod rolls;
mod savepoints;
mod state;
mod suspensions;
pub(super) mod transition;

pub use census::Census;
pub use cleanup::standing;
pub use illegal::{Illegal, Reason};
pub(in crate::machine) use index::ApprovedBy;
pub use index::Index;
pub use place::step_of;
pub use place_event::PlaceEvent;
pub use residue::residue;
pub use retry::{Reaction, not_done, not_seen};
pub use state::{Back, Batch, Cleanup, Hold, Phase, RollState, RunState, Task};
pub use suspensions::open as left_suspended;
