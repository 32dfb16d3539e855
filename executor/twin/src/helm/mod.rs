//! helm, as far as the driver uses it.

use crate::program::{ProgramCall, ProgramResult};
use crate::world::World;

pub(crate) fn run(_world: &mut World, call: &ProgramCall, _killed: bool) -> ProgramResult {
    ProgramResult::not_simulated(call.argv.join(" "))
}
