//! What happens next: from the state of a run, what was answered and the time to events, commands and when to look again.
//! Nothing here changes the state; that does only a record that was written.

mod approvals;
mod batch;
mod census;
mod cleanup;
mod dispatch;
mod failure;
mod gates;
mod idle;
pub(super) mod in_flight;
mod observe;
mod prepare;
mod requests;
mod rolls;
mod suspensions;
mod verify;
mod void;
mod windows;

pub use batch::{Choice, choose};
pub use gates::{scope_text, who};
pub use void::Void;
pub use windows::{Answer as WindowAnswer, answer as window_answer};
