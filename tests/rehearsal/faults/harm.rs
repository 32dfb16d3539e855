//! Somebody is worse off because of the run: it is never complete then without a word about them.

use jiff::SignedDuration;
use switchback_executor::machine::Rest;

use super::{
    bench::Bench,
    carry::{Act, Came, Stage},
    judge::{Verdict, is_complete},
    scenario::Scenario,
};
use crate::support::time::Random;

/// How many kinds there are; a seed is of one of them.
pub(super) const KINDS: u64 = 5;

/// How long the same is waited for until a person looks.
const PATIENCE: SignedDuration = SignedDuration::from_hours(6);

/// What does somebody harm when the run moves them, and who that is.
fn harm(kind: u64) -> (Act, &'static [&'static str]) {
    let broken = |image: &'static str| -> Act {
        Box::new(move |world| world.settings_mut().broken_images.push(image.to_owned()))
    };
    match kind % KINDS {
        0 => (broken("example.invalid/web:1"), &["web"]),
        1 => (broken("example.invalid/api:1"), &["api"]),
        2 => (broken("example.invalid/agent:1"), &["node-agent"]),
        3 => (
            Box::new(|world| world.settings_mut().karpenter.no_capacity.push("general".to_owned())),
            // Whoever stood there, or the pool itself.
            &["general", "web", "api"],
        ),
        _ => (broken("example.invalid/web:2"), &["web"]),
    }
}

/// A person sees who is worse.
pub(super) fn harmed(bench: &Bench, seed: u64) -> Verdict {
    let mut random = Random::of(seed);
    let (act, names) = harm(seed);
    let stage = Stage::of(bench.world.clone(), (bench.watch)(), seed);
    // Before the pool for everybody has moved.
    let seconds = i64::try_from(random.below(300)).expect("short");
    stage.expects(vec![(bench.world.now() + SignedDuration::from_secs(seconds), act)]);
    let scenario = Scenario { seed, ..Scenario::quiet() };
    let (came, lives) = stage.carries(&bench.planned, &scenario, Some(PATIENCE));
    let carried = stage.carried(came, lives);
    let says = match &carried.came {
        Came::Rest(Rest::Held { why }) => why.clone(),
        Came::Stuck(waits) => serde_json::to_string(waits).expect("JSON"),
        // What it says of a hop that was taken back stands in the journal.
        _ => String::from_utf8_lossy(&carried.files.journal()).into_owned(),
    };
    let told = names.iter().any(|name| says.contains(name));
    match is_complete(&carried.came) || !told {
        true => Verdict::Wrong(format!("{names:?} are worse, and nothing says so\n{carried:?}")),
        false => Verdict::Well,
    }
}
