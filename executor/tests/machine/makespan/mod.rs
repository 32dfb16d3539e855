//! How long a run takes when its steps take what they take: the machine on generated upgrades of many clusters, in simulated
//! time, against the lower bound of any schedule. docs/performance.md has the figures.

mod generate;
mod python;

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use switchback_executor::machine::{Answer, Index, Machine, Rest, Settings, What};
use switchback_model::journal::Head;
use switchback_schemas::{
    Digest, Seconds, StepId,
    format::Document,
    journal::{End, Event, Evidence, Outcome},
    plan::{Plan, Undo},
};

use self::{generate::Upgrade, python::Python};
use super::{
    drive::start,
    plans::{id, plan, run, step},
};

/// The generator's arguments (clusters, hops, node groups, workers, seed) with the lower bound that the original prints, in
/// minutes.
const INSTANCES: [([usize; 3], usize, u32, u64); 4] =
    [([3, 3, 4], 10, 1, 676), ([10, 3, 5], 10, 2, 1352), ([10, 3, 5], 20, 3, 726), ([30, 3, 6], 40, 4, 1174)];

/// A plan in which every step is one call, without any proof, of the estimated length.
fn compiled(upgrade: &Upgrade) -> Plan {
    let steps = upgrade.steps.iter().map(|made| {
        let needs: Vec<&str> = made.needs.iter().map(|need| upgrade.steps[*need].name.as_str()).collect();
        let mut step = step(&made.name, &needs);
        step.work.verify.clear();
        step.work.done_when = None;
        step.undo = Undo::Unneeded { why: "only time is measured".to_owned() };
        step.work.estimate.expected = Seconds(made.minutes * 60);
        step.work.estimate.p90 = step.work.estimate.expected;
        step
    });
    plan(steps.collect())
}

/// The length of a run in which steps take so many seconds, with so many workers.
fn makespan(plan: Plan, workers: usize, takes: &BTreeMap<StepId, u64>) -> u64 {
    let index = Arc::new(Index::new(Arc::new(plan), Digest::of("plan")).unwrap());
    let settings =
        Settings { parallel: workers, patience: Seconds(u64::from(u32::MAX)), ..Settings::default() };
    let mut machine = Machine::of(Arc::clone(&index), settings);
    let mut head = Head::default();
    let mut now = start();
    let mut write = |machine: &mut Machine, event: Event, now: Timestamp| {
        // The header comes before the first process.
        let epoch = u64::from(!matches!(event, Event::Header { .. }));
        let line = head.line(epoch, now, event).unwrap();
        machine.apply(&line.record).unwrap();
    };
    let header = Event::Header {
        format: Document::Journal.current(),
        run: run(),
        operation: run(),
        platform: index.plan.platform.name.clone(),
        plan: index.digest,
        review: index.plan.digests.review,
    };
    write(&mut machine, header, now);
    write(&mut machine, Event::Epoch { holder: "test".to_owned(), by: None }, now);
    // What is under way: its end, then the command.
    let mut under_way: BTreeMap<(Timestamp, u64), Answer> = BTreeMap::new();
    loop {
        let decision = machine.poll(now);
        for command in decision.start {
            let (takes, answer) = match command.what {
                What::Claim => (0, Answer::Claimed),
                What::Apply(_) => {
                    let outcome = Outcome::Done { evidence: Evidence::line("done") };
                    (takes[&command.at.step], Answer::Applied(outcome))
                }
                other => panic!("only claims and calls are made: {other:?}"),
            };
            let end = now.checked_add(SignedDuration::from_secs(i64::try_from(takes).unwrap())).unwrap();
            under_way.insert((end, command.id), answer);
        }
        assert!(under_way.len() <= workers, "no more is under way than there are workers");
        if let Some(rest) = decision.rest {
            assert_eq!(rest, Rest::Ended(End::Complete));
            return u64::try_from(now.duration_since(start()).as_secs()).unwrap();
        }
        if !decision.append.is_empty() {
            for event in decision.append {
                write(&mut machine, event, now);
            }
            continue;
        }
        let Some(((next, _), _)) = under_way.first_key_value() else {
            panic!("nothing is under way at {now}")
        };
        now = *next;
        while let Some(entry) = under_way.first_entry().filter(|entry| entry.key().0 == now) {
            let ((_, id), answer) = entry.remove_entry();
            machine.answered(id, answer, now);
        }
    }
}

fn ratio(one: u64, other: u64) -> f64 {
    let float = |n: u64| f64::from(u32::try_from(n).unwrap());
    float(one) / float(other)
}

#[test]
fn runs_take_no_longer_than_the_lower_bound_allows() {
    for (shape, workers, seed, bound) in INSTANCES {
        let upgrade = Upgrade::generate(shape, seed);
        assert_eq!(upgrade.lower_bound(workers), bound, "the generator is the one that the bound is of");
        let takes = upgrade.steps.iter().map(|made| (id(&made.name), made.minutes * 60)).collect();
        let length = makespan(compiled(&upgrade), workers, &takes);
        let ratio = ratio(length, bound * 60);
        eprintln!(
            "{shape:?}, {workers} workers, {} steps: {ratio:.4} of the lower bound",
            upgrade.steps.len()
        );
        assert!(
            (1.0..=1.02).contains(&ratio),
            "{shape:?} with {workers} workers takes {ratio} of the lower bound"
        );
    }
}

/// Lengths that differ from their estimates: estimate times lognormal noise of sigma 0.3, against the bound of the real lengths.
#[test]
fn wrong_estimates_cost_little() {
    for (shape, workers, seed, _) in INSTANCES.into_iter().take(3) {
        let upgrade = Upgrade::generate(shape, seed);
        let plan = compiled(&upgrade);
        let mut ratios: Vec<f64> = Vec::new();
        for draw in 0..9 {
            let mut python = Python::new(draw);
            let mut real = upgrade.clone();
            let mut takes = BTreeMap::new();
            for made in &mut real.steps {
                let factor = python.gauss(0.3).exp() * (-0.3_f64 * 0.3 / 2.0).exp();
                let seconds = python::whole(python::float(made.minutes * 60) * factor).max(1);
                made.minutes = seconds;
                takes.insert(id(&made.name), seconds);
            }
            ratios.push(ratio(makespan(plan.clone(), workers, &takes), real.lower_bound(workers)));
        }
        ratios.sort_by(f64::total_cmp);
        let median = ratios[ratios.len() / 2];
        eprintln!(
            "{shape:?}, {workers} workers, sigma 0.3: median {median:.4}, most {:.4}",
            ratios[ratios.len() - 1]
        );
        assert!(median <= 1.05, "{shape:?} with {workers} workers: {ratios:?}");
    }
}
