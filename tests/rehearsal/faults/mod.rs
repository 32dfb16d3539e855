//! Whole runs under faults that a seed draws: calls that fail, processes that die, disks that do not write, workloads that come and
//! go; and what became of the platform.

mod bench;
mod carry;
mod churn;
mod harm;
mod history;
mod judge;
mod lasting;
mod noting;
mod returned;
mod scenario;

use std::io::Write as _;

use self::{
    bench::{Bench, platform, procedures, small},
    carry::carried,
    judge::Verdict,
    scenario::Scenario,
};
use crate::support::time::fresh;

/// What one seed comes to.
type Try = fn(&Bench, u64) -> Verdict;

/// Tries seeds, and says of each that is not well what happened. Of a hundred at most so many need a person.
fn tried(bench: &Bench, what: &str, seeds: impl Iterator<Item = u64>, (of_a_hundred, one): (usize, Try)) {
    let (mut runs, mut people, mut wrong) = (0_usize, Vec::new(), Vec::new());
    for seed in seeds {
        runs += 1;
        match one(bench, seed) {
            Verdict::Well => {}
            Verdict::Person(told) => people.push(format!("{} seed {seed}: {told}", bench.name)),
            Verdict::Wrong(told) => wrong.push(format!("{} seed {seed}: {told}", bench.name)),
        }
    }
    let (name, helped, bad) = (bench.name, people.len(), wrong.len());
    drop(writeln!(
        std::io::stderr(),
        "{name}, {what}: {runs} runs, {helped} needed a person, {bad} went wrong"
    ));
    // Also where that is no failure: each of them is a reason that somebody may mend.
    for told in &people {
        drop(writeln!(std::io::stderr(), "{told}"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(helped * 100 <= runs * of_a_hundred, "{}", people.join("\n\n"));
}

#[test]
fn what_passes_by_itself_needs_nobody() {
    tried(small(), "passing", 1..=9, (1, judge::passing));
}

#[test]
fn what_passes_by_itself_needs_nobody_on_a_platform_with_a_cloud() {
    tried(procedures(), "passing", 1..=2, (1, judge::passing));
}

#[test]
fn a_rollback_needs_nobody_either() {
    tried(small(), "rollback", 1..=6, (1, returned::returned));
}

#[test]
fn what_stays_is_named_and_gone_on_from() {
    tried(small(), "lasting", 1..=lasting::KINDS, (0, lasting::lasting));
}

#[test]
fn what_comes_and_goes_by_itself_holds_nothing() {
    tried(small(), "churn", 1..=6, (0, churn::churning));
}

#[test]
fn who_is_worse_off_is_never_passed_over() {
    tried(small(), "harm", 1..=harm::KINDS, (0, harm::harmed));
}

/// A seed that went wrong can be looked into: it goes wrong the same way again.
#[test]
fn a_seed_goes_the_same_way_each_time() {
    let bench = small();
    for seed in [3, 4] {
        let run = || {
            let scenario = Scenario::passing(seed, bench.world.now(), bench.length);
            let carried = carried(&bench.planned, bench.world.clone(), (bench.watch)(), &scenario);
            String::from_utf8_lossy(&carried.files.journal()).into_owned()
        };
        assert_eq!(run(), run(), "seed {seed}");
    }
}

/// As many as the environment asks for, from a seed on: `SWITCHBACK_RUNS`, `SWITCHBACK_SEED`; of one kind and example where it names
/// them: `SWITCHBACK_KIND`, `SWITCHBACK_EXAMPLE`.
#[test]
#[ignore = "takes as long as it is asked to"]
fn at_length() {
    #[expect(clippy::disallowed_methods, reason = "how long to go on is what the environment says")]
    let said = |name: &str| std::env::var(name).ok();
    let number = |name: &str, usual: u64| said(name).map_or(usual, |text| text.parse().expect("a number"));
    let bench = match said("SWITCHBACK_EXAMPLE").as_deref() {
        None | Some("karpenter-small") => small(),
        Some("mlops-platform") => procedures(),
        Some("gpu-ml-platform") => platform(),
        Some(other) => panic!("there is no example {other}"),
    };
    let (what, of_a_hundred, one): (&str, usize, Try) = match said("SWITCHBACK_KIND").as_deref() {
        None | Some("passing") => ("passing", 1, judge::passing),
        Some("lasting") => ("lasting", 0, lasting::lasting),
        Some("rollback") => ("rollback", 1, returned::returned),
        Some("churn") => ("churn", 0, churn::churning),
        Some("harm") => ("harm", 1, harm::harmed),
        Some(other) => panic!("there is no kind {other}"),
    };
    let first = number("SWITCHBACK_SEED", fresh() >> 1);
    tried(bench, what, first..first + number("SWITCHBACK_RUNS", 10_000), (of_a_hundred, one));
}
