//! What goes wrong in a run, drawn from a seed: calls that fail for a while, processes that die, a disk that does not write.

use jiff::{SignedDuration, Timestamp};
use switchback_executor::store::sim::{Fault as DiskFault, Unsynced};
use switchback_twin::{BadAnswer, Fault, FaultKind};

use crate::support::time::Random;

/// How a process ends before its run does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Death {
    /// It is killed when so many more records are durable.
    Record(u64),
    /// It is killed when so many more effects have been carried out, and nobody wrote so.
    Effect(u64),
    /// An operation of the disk goes wrong.
    Disk(u64, DiskFault),
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) seed: u64,
    /// Faults of calls. None of them stays.
    pub(super) faults: Vec<Fault>,
    /// How processes die, one after the other, and what the disk keeps of what was not synced.
    pub(super) deaths: Vec<(Death, Unsynced)>,
    /// How many commands are under way at once.
    pub(super) parallel: usize,
    /// Seconds that an effect is late at most.
    pub(super) late: u64,
}

/// Calls that faults are about: all, reads, writes, and those that a run hangs on.
const CALLS: [(&str, &str); 16] = [
    ("*", "/api*"),
    ("GET", "/api*"),
    ("GET", "/apis*"),
    ("PATCH", "*"),
    ("POST", "/api*"),
    ("PUT", "/api*"),
    ("DELETE", "/api*"),
    ("POST", "*/eviction"),
    ("GET", "*/nodes*"),
    ("GET", "*/pods*"),
    ("GET", "*/leases/*"),
    ("*", "*karpenter*"),
    ("*", "*/deployments*"),
    ("program", "helm *"),
    ("program", "helm upgrade*"),
    ("aws", "*"),
];

const BAD: [BadAnswer; 8] = [
    BadAnswer::OtherUid,
    BadAnswer::StatusInOk,
    BadAnswer::EmptyList,
    BadAnswer::PartialList,
    BadAnswer::UnknownPath,
    BadAnswer::Truncated,
    BadAnswer::Late,
    BadAnswer::Twice,
];

/// The longest time for which anything fails: shorter than what a run waits for evidence.
const LONGEST: u64 = 8 * 60;

/// The longest time for which an answer is not what was asked for.
const LIES: u64 = 300;

fn one_of<T: Clone>(random: &mut Random, all: &[T]) -> T {
    let which = usize::try_from(random.below(all.len() as u64)).expect("small");
    all[which].clone()
}

fn after(from: Timestamp, seconds: u64) -> Timestamp {
    from + SignedDuration::from_secs(i64::try_from(seconds).expect("a short while"))
}

/// What a call fails with, by whom it is made to.
fn kind(random: &mut Random, verb: &str) -> FaultKind {
    let status = one_of(random, &[429, 500, 502, 503, 504]);
    let retry_after = Some(1).filter(|_| random.below(2) == 0);
    match (verb, random.below(8)) {
        (_, 0 | 1) => FaultKind::Before { status, retry_after },
        (_, 2) => FaultKind::After { status: one_of(random, &[500, 503, 504]) },
        (_, 3) => FaultKind::Lost,
        ("program", _) => FaultKind::Killed,
        ("aws", _) => FaultKind::Refused {
            code: one_of(random, &["ThrottlingException", "ServerException", "ServiceUnavailableException"])
                .to_owned(),
            message: "injected".to_owned(),
            status: None,
        },
        // As after a restart of the control plane.
        (_, 4) => FaultKind::Before { status: one_of(random, &[401, 403]), retry_after: None },
        _ => FaultKind::Bad { answer: one_of(random, &BAD) },
    }
}

/// A fault that passes.
fn passing(random: &mut Random, began: Timestamp, length: u64) -> Fault {
    let (verb, path) = one_of(random, &CALLS);
    let kind = kind(random, verb);
    let from = after(began, random.below(length));
    let seconds = match random.below(3) {
        0 => 1 + random.below(LONGEST),
        _ => 1 + random.below(100),
    };
    // A list that is empty for minutes, for everybody who asks, is no bad answer but an empty list.
    let lies = matches!(kind, FaultKind::Bad { .. });
    let seconds = if lies { seconds.min(LIES) } else { seconds };
    let fault = Fault::new(verb, path, kind).between(from, after(from, seconds));
    match random.below(4) {
        // Single calls do not wait for an instant that nobody looks at.
        0 => Fault { until: None, ..fault.nth(1 + u32::try_from(random.below(4)).expect("small")) },
        1 => fault.every(2 + u32::try_from(random.below(3)).expect("small")),
        _ => fault.nth(0),
    }
}

/// How a process dies.
fn death(random: &mut Random) -> (Death, Unsynced) {
    let unsynced = one_of(random, &[Unsynced::Lost, Unsynced::Half, Unsynced::Kept]);
    let errors = [std::io::ErrorKind::StorageFull, std::io::ErrorKind::Other];
    let death = match random.below(4) {
        0 => Death::Effect(random.below(20)),
        1 => Death::Disk(random.below(200), DiskFault::Crash),
        2 => Death::Disk(random.below(200), DiskFault::Fail(one_of(random, &errors))),
        _ => Death::Record(random.below(60)),
    };
    (death, unsynced)
}

impl Scenario {
    /// What passes by itself, in a run that begins then and takes so many seconds where nothing goes wrong.
    pub(super) fn passing(seed: u64, began: Timestamp, length: u64) -> Self {
        let mut random = Random::of(seed);
        let faults = 1 + random.below(5);
        let deaths = random.below(4);
        Self {
            seed,
            faults: (0..faults).map(|_| passing(&mut random, began, length)).collect(),
            deaths: (0..deaths).map(|_| death(&mut random)).collect(),
            parallel: one_of(&mut random, &[1, 1, 3, 16]),
            late: one_of(&mut random, &[0, 0, 30, 240]),
        }
    }

    /// Nothing goes wrong.
    pub(super) fn quiet() -> Self {
        Self { seed: 0, faults: Vec::new(), deaths: Vec::new(), parallel: 1, late: 0 }
    }
}
