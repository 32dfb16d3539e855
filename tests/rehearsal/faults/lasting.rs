//! Something goes wrong and stays so: the run comes to rest, says what is in the way, and goes on when that is gone.

use jiff::SignedDuration;
use serde_json::json;
use switchback_executor::machine::Rest;
use switchback_schemas::{
    StepId,
    journal::{Identified, SideKind},
};
use switchback_twin::{Fault, FaultKind, Key, World};

use super::{
    bench::Bench,
    carry::{Act, Came, Stage},
    judge::{Verdict, histories, is_complete, whole},
    scenario::Scenario,
};
use crate::support::time::Random;

/// How many kinds there are; a seed is of one of them.
pub(super) const KINDS: u64 = 6;

/// How long the same is waited for until a person looks.
const PATIENCE: SignedDuration = SignedDuration::from_hours(3);

/// What stays, and what who looks has to be told of it.
struct Trouble {
    faults: Vec<Fault>,
    begins: Option<Act>,
    /// Takes it away.
    ends: Act,
    /// Words that all have to be there.
    names: Vec<&'static str>,
}

fn refused(verb: &str, path: &str, status: u16) -> Vec<Fault> {
    vec![Fault::new(verb, path, FaultKind::Before { status, retry_after: None }).nth(0)]
}

fn nothing() -> Act {
    Box::new(|_| ())
}

fn budget(world: &mut World, unavailable: u64) {
    let key = Key::new("policy", "poddisruptionbudgets", "apps", "web");
    world.modify(&key, |object| object["spec"]["maxUnavailable"] = json!(unavailable));
}

fn trouble(kind: u64) -> Trouble {
    let calls = |faults, names| Trouble { faults, begins: None, ends: nothing(), names };
    match kind % KINDS {
        0 => calls(refused("PATCH", "*/nodes/*", 403), vec!["forbidden"]),
        1 => calls(refused("program", "helm upgrade*", 503), vec!["unreachable"]),
        2 => calls(refused("POST", "*/eviction", 503), vec!["503"]),
        3 => calls(refused("DELETE", "*/nodeclaims/*", 403), vec!["forbidden"]),
        4 => calls(refused("GET", "*/nodes*", 503), vec!["503"]),
        _ => Trouble {
            faults: Vec::new(),
            begins: Some(Box::new(|world| budget(world, 0))),
            ends: Box::new(|world| budget(world, 1)),
            names: vec!["budget", "web"],
        },
    }
}

/// What a person reads of a run that goes no further.
fn says(came: &Came) -> String {
    match came {
        Came::Rest(Rest::Held { why }) => why.to_lowercase(),
        Came::Stuck(waits) => serde_json::to_string(waits).expect("JSON").to_lowercase(),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// The run rests with what is in the way, and ends well when that is taken away.
pub(super) fn lasting(bench: &Bench, seed: u64) -> Verdict {
    let mut random = Random::of(seed);
    let trouble = trouble(seed);
    let stage = Stage::of(bench.world.clone(), (bench.watch)(), seed);
    let seconds = i64::try_from(random.below(bench.length / 3)).expect("short");
    let from = bench.world.now() + SignedDuration::from_secs(seconds);
    for fault in trouble.faults {
        stage.platform.twin.inject(Fault { from: Some(from), ..fault });
    }
    stage.expects(trouble.begins.map(|act| (from, act)).into_iter().collect());
    let scenario = Scenario { seed, ..Scenario::quiet() };
    let (first, lives) = stage.carries(&bench.planned, &scenario, Some(PATIENCE));
    let met = is_complete(&first) || trouble.names.iter().all(|name| says(&first).contains(name));
    stage.platform.twin.heal();
    stage.platform.twin.with(trouble.ends);
    let (came, more) = match &first {
        Came::Rest(Rest::Held { .. }) => {
            stage.says(&bench.planned, mended(stage.held_at())).expect("the run hears it");
            stage.carries(&bench.planned, &scenario, None)
        }
        Came::Stuck(_) => stage.carries(&bench.planned, &scenario, None),
        ended => (ended.clone(), 0),
    };
    let carried = stage.carried(came, lives + more);
    let mut wrong = histories(&bench.planned, &carried, true);
    if !met {
        wrong.push(format!("{:?} is not named by {}", trouble.names, says(&first)));
    }
    wrong.extend(whole(bench, &carried, true));
    if !is_complete(&carried.came) {
        wrong.push(format!(
            "it does not go on when nothing is in the way any more; before it said {}",
            says(&first)
        ));
    }
    match wrong.is_empty() {
        true => Verdict::Well,
        false => Verdict::Wrong(format!("{}\nfrom {from}\n{carried:?}", wrong.join("\n"))),
    }
}

/// What somebody types who took away what was in the way: the step that holds is tried again.
fn mended(held: Option<StepId>) -> (Identified, SideKind) {
    let reason = "mended".to_owned();
    let says = match held {
        Some(step) => SideKind::Retry { step, reason },
        None => SideKind::Continue { reason },
    };
    (Identified::Kubernetes("twin-admin".to_owned()), says)
}
