//! Calls that fail, processes that die, disks that do not write, at instants that a seed draws; and what became of the platform.
//!
//! What is injected passes by itself. So every run comes to its end without a person, no hop is rolled back, no pod of a class
//! that waits is touched, and the platform is at last what it is where nothing goes wrong.

mod carry;
mod history;
mod scenario;

use std::{io::Write as _, sync::OnceLock};

use switchback_executor::machine::Rest;
use switchback_schemas::journal::End;
use switchback_twin::World;

use self::{
    carry::{Came, Carried, carried},
    scenario::Scenario,
};
use crate::support::{
    block_on,
    example::{changed, fixture},
    planning::{Asked, manifests},
    projection::Projection,
    run::{Planned, settled},
    time::fresh,
    watch::Watch,
};

/// A platform, its plan, and how that ends where nothing goes wrong.
struct Bench {
    name: &'static str,
    planned: Planned,
    world: World,
    watch: fn() -> Watch,
    end: Projection,
    /// Seconds from start to end.
    length: u64,
}

/// The small example, where a training job is waited for that ends by itself.
fn small() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let world = fixture("karpenter-small.yaml", |world| {
            changed(world, "cluster.switchback.test/pod: hold", "twin.switchback.dev/run-seconds: \"5400\"")
        });
        let files = manifests("karpenter-small", |name, text| match name {
            "platform.yaml" => changed(&text, "requeue: {}", "wait: {max: 24h, then: park}"),
            _ => text,
        });
        let planned = block_on(Asked::of(&files, world.clone())).plan(&[]);
        Bench::of("karpenter-small", planned, world, || {
            Watch::of().training().serving(&[("apps", "web", 5), ("apps", "api", 2)])
        })
    })
}

impl Bench {
    fn of(name: &'static str, planned: Planned, world: World, watch: fn() -> Watch) -> Self {
        let quiet = carried(&planned, world.clone(), watch(), &Scenario::quiet());
        assert_eq!(quiet.came, Came::Rest(Rest::Ended(End::Complete)), "{name}: {quiet:?}");
        let took = quiet.world.now().duration_since(quiet.began);
        let length = took.as_secs().unsigned_abs();
        let wrong = judged(&planned, &quiet, true);
        assert_eq!(wrong, Vec::<String>::new(), "{name}");
        Self { name, planned, world, watch, end: settled(quiet.world), length }
    }

    fn run(&self, seed: u64) -> (Scenario, Carried) {
        let scenario = Scenario::passing(seed, self.world.now(), self.length);
        let carried = carried(&self.planned, self.world.clone(), (self.watch)(), &scenario);
        (scenario, carried)
    }
}

/// What is wrong with how a run went, whatever it came to.
fn judged(planned: &Planned, carried: &Carried, alone: bool) -> Vec<String> {
    let mut wrong = carried.wrong.clone();
    wrong.extend(history::wrong(&planned.plan, &carried.files.journal(), &carried.did, alone));
    wrong
}

/// What one seed came to.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Well,
    /// A person has to help.
    Person(String),
    Wrong(Vec<String>),
}

fn verdict(bench: &Bench, seed: u64) -> Verdict {
    let (scenario, carried) = bench.run(seed);
    let mut wrong = judged(&bench.planned, &carried, scenario.parallel == 1);
    let journal = carried.files.journal();
    if String::from_utf8_lossy(&journal).contains("\"turned-to-rollback\"") {
        wrong.push("a healthy hop was rolled back".to_owned());
    }
    let ended = carried.came == Came::Rest(Rest::Ended(End::Complete));
    if ended {
        let end = settled(carried.world.clone());
        wrong.extend(differences(&bench.end, &end));
    }
    let told = || format!("{} seed {seed}: {scenario:#?}\n{carried:?}", bench.name);
    match (wrong.is_empty(), ended) {
        (false, _) => {
            wrong.push(told());
            Verdict::Wrong(wrong)
        }
        (true, false) => Verdict::Person(told()),
        (true, true) => Verdict::Well,
    }
}

fn differences(expected: &Projection, end: &Projection) -> Vec<String> {
    let lines: std::collections::BTreeSet<&String> = expected.keys().chain(end.keys()).collect();
    let differ = lines.into_iter().filter(|line| expected.get(*line) != end.get(*line));
    differ
        .map(|line| {
            let count = |of: &Projection| of.get(line).copied().unwrap_or(0);
            format!("at the end {} and not {} times: {line}", count(end), count(expected))
        })
        .collect()
}

/// Runs seeds and says of each that is not well what happened. At most one in a hundred needs a person.
fn all_well(bench: &Bench, seeds: impl Iterator<Item = u64>) {
    let (mut runs, mut people, mut wrong) = (0_usize, Vec::new(), Vec::new());
    for seed in seeds {
        runs += 1;
        match verdict(bench, seed) {
            Verdict::Well => {}
            Verdict::Person(told) => people.push(told),
            Verdict::Wrong(lines) => wrong.push(format!("seed {seed}:\n{}", lines.join("\n"))),
        }
    }
    let mut out = std::io::stderr();
    drop(writeln!(
        out,
        "{}: {runs} runs, {} needed a person, {} went wrong",
        bench.name,
        people.len(),
        wrong.len()
    ));
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(people.len() * 100 <= runs, "{}", people.join("\n\n"));
}

#[test]
fn what_passes_by_itself_needs_nobody() {
    all_well(small(), (1..=12).chain([fresh()]));
}

/// As many as the environment asks for, from a seed on: `SWITCHBACK_RUNS`, `SWITCHBACK_SEED`.
#[test]
#[ignore = "takes as long as it is asked to"]
fn what_passes_by_itself_needs_nobody_at_length() {
    #[expect(clippy::disallowed_methods, reason = "how long to go on is what the environment says")]
    let number =
        |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().expect("a number"));
    let first = number("SWITCHBACK_SEED", fresh() >> 1);
    all_well(small(), first..first + number("SWITCHBACK_RUNS", 10_000));
}
