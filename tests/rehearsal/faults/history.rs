//! What a journal and a platform tell of a run, held against its plan. It knows the shape of plans and records and nothing of the
//! machine that decides, nor of the code that writes and reads journals.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};
use switchback_schemas::{
    StepId,
    journal::{At, End, Event, Outcome, Record, Way},
    plan::{Plan, Undo},
};

use super::noting::Did;

/// What is wrong with a history. Empty where nothing is.
pub(super) fn wrong(plan: &Plan, journal: &[u8], did: &[Did], alone: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let records = match records(journal) {
        Ok(records) => records,
        Err(unreadable) => return vec![unreadable],
    };
    Followed {
        plan,
        done: BTreeSet::new(),
        open: BTreeMap::new(),
        started: BTreeSet::new(),
        wrong: &mut wrong,
    }
    .follow(&records);
    unasked(&records, did, alone, &mut wrong);
    if alone {
        doubled(&records, did, &mut wrong);
    }
    wrong
}

/// Reads lines by the description of the format: a length, a checksum, the record, chained to the line before it.
pub(super) fn records(journal: &[u8]) -> Result<Vec<Record>, String> {
    let mut records: Vec<Record> = Vec::new();
    let (mut before, mut epoch) = (String::new(), 0);
    for (number, line) in journal.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let bad = |what: &str| format!("record {number}: {what}");
        let line = line.strip_suffix(b"\n").ok_or_else(|| bad("is cut off"))?;
        let text = std::str::from_utf8(line).map_err(|error| bad(&error.to_string()))?;
        let mut parts = text.splitn(3, ' ');
        let mut number_of = || u32::from_str_radix(parts.next()?, 16).ok();
        let (length, sum) = (number_of(), number_of());
        let json = parts.next().ok_or_else(|| bad("has no content"))?;
        if length.and_then(|length| usize::try_from(length).ok()) != Some(json.len()) {
            return Err(bad("has another length"));
        }
        if sum != Some(checksum(json.as_bytes())) {
            return Err(bad("has another checksum"));
        }
        let record: Record = serde_json::from_str(json).map_err(|error| bad(&error.to_string()))?;
        let raises = matches!(record.event, Event::Epoch { .. });
        if usize::try_from(record.seq) != Ok(number) || record.prev != before {
            return Err(bad("does not follow the one before"));
        }
        if record.epoch != epoch + u64::from(raises) {
            return Err(bad("is of another epoch"));
        }
        epoch = record.epoch;
        before = hex::encode(&Sha256::digest(line)[..16]);
        records.push(record);
    }
    Ok(records)
}

/// CRC-32C, bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            let least = sum & 1;
            (sum >> 1) ^ (0x82f6_3b78 * least)
        })
    })
}

/// What became of the places of a run, record by record.
struct Followed<'a> {
    plan: &'a Plan,
    /// Whole steps that are done.
    done: BTreeSet<StepId>,
    /// Calls that were begun and have not ended, with their attempt.
    open: BTreeMap<At, u32>,
    /// Steps of which something was called.
    started: BTreeSet<StepId>,
    wrong: &'a mut Vec<String>,
}

impl Followed<'_> {
    fn follow(&mut self, records: &[Record]) {
        for record in records {
            if let Err(what) = self.take(record) {
                self.wrong.push(format!("record {} at {}: {what}", record.seq, record.at));
            }
        }
    }

    fn take(&mut self, record: &Record) -> Result<(), String> {
        match &record.event {
            Event::Intent { at, attempt, .. } => {
                self.in_order(at)?;
                self.started.insert(at.step.clone());
                let crashed = self.open.insert(at.clone(), *attempt);
                if crashed == Some(*attempt) {
                    return Err(format!("{at} has two intents of attempt {attempt}"));
                }
            }
            Event::Ended { at, attempt, outcome } => {
                let begun = self.open.get(at).copied();
                if begun != Some(*attempt) {
                    return Err(format!("{at} ends attempt {attempt}, and {begun:?} was begun"));
                }
                // One in doubt is looked at, and ends again.
                if !matches!(outcome, Outcome::Blocked { .. } | Outcome::InDoubt { .. }) {
                    self.open.remove(at);
                }
            }
            Event::Verified { at, verdict } if verdict.is_holding() => self.is_done(at),
            Event::Skipped { at, .. } => self.is_done(at),
            Event::Done { end: End::Complete, .. } => self.complete()?,
            Event::TurnedToRollback { .. } => {
                // What only looks has nothing that undoes it.
                let plan = self.plan;
                let looks = |at: &At| {
                    plan.step(&at.step).is_some_and(|step| matches!(step.undo, Undo::Unneeded { .. }))
                };
                self.open.retain(|at, _| !looks(at));
            }
            Event::Done { end: End::RolledBack, .. } => self.rolled_back()?,
            _ => {}
        }
        Ok(())
    }

    fn is_done(&mut self, at: &At) {
        self.open.remove(at);
        if at.item.is_some() {
            return;
        }
        match at.way {
            Way::Forward => drop(self.done.insert(at.step.clone())),
            Way::Rollback => {
                let undone = self.plan.rollback_step(&at.step).map(|step| step.undoes.clone());
                for step in undone.unwrap_or_default() {
                    self.done.remove(&step);
                    self.started.remove(&step);
                    // Whether it happened matters to nobody any more.
                    self.open.retain(|at, _| at.step != step || at.way != Way::Forward);
                }
            }
            Way::Cleanup => {}
        }
    }

    /// A step comes after those that it needs, and is undone before they are.
    fn in_order(&self, at: &At) -> Result<(), String> {
        match at.way {
            Way::Forward => {
                let step = self.plan.step(&at.step).ok_or_else(|| format!("{at} is no step of the plan"))?;
                let missing = step.needs.iter().find(|need| !self.done.contains(&need.step));
                missing.map_or(Ok(()), |need| Err(format!("{at} was called before {} was done", need.step)))
            }
            Way::Rollback if at.item.is_none() => {
                let undo = self.plan.rollback_step(&at.step).ok_or_else(|| format!("{at} undoes nothing"))?;
                let depends = self.plan.steps.iter().find(|step| {
                    self.started.contains(&step.id)
                        && !undo.undoes.contains(&step.id)
                        && self
                            .plan
                            .rollback
                            .iter()
                            .any(|other| other.undoes.contains(&step.id) && other.id != undo.id)
                        && step.needs.iter().any(|need| undo.undoes.contains(&need.step))
                });
                depends.map_or(Ok(()), |step| Err(format!("{at} was called before {} was undone", step.id)))
            }
            Way::Rollback | Way::Cleanup => Ok(()),
        }
    }

    fn complete(&self) -> Result<(), String> {
        if let Some(step) = self.plan.steps.iter().find(|step| !self.done.contains(&step.id)) {
            return Err(format!("the run is complete, and {} is not done", step.id));
        }
        self.nothing_open()
    }

    /// What was called and is not undone, though something undoes it.
    fn rolled_back(&self) -> Result<(), String> {
        let kept = |step: &&StepId| self.plan.rollback.iter().any(|undo| undo.undoes.contains(step));
        if let Some(step) = self.started.iter().find(kept) {
            return Err(format!("the run is rolled back, and {step} is not undone"));
        }
        self.nothing_open()
    }

    fn nothing_open(&self) -> Result<(), String> {
        self.open.keys().next().map_or(Ok(()), |at| Err(format!("the run is over, and {at} is in doubt")))
    }
}

/// Nothing was changed that the journal did not announce.
fn unasked(records: &[Record], did: &[Did], alone: bool, wrong: &mut Vec<String>) {
    let announced = |did: &Did| {
        records.iter().any(|record| {
            record.at <= did.when
                && matches!(&record.event, Event::Intent { at, attempt, .. } if *at == did.at && *attempt == did.attempt)
        })
    };
    let changed = did.iter().filter(|did| !did.changes.is_empty() || !alone);
    for did in changed.filter(|did| !announced(did)) {
        wrong.push(format!("{}: {} was called, and nothing announced it", did.when, did.at));
    }
}

/// What a place did, it did once: the same change is not made again unless the run turned in between.
fn doubled(records: &[Record], did: &[Did], wrong: &mut Vec<String>) {
    let turns: Vec<_> = records
        .iter()
        .filter(|record| {
            matches!(
                record.event,
                Event::TurnedToRollback { .. } | Event::TurnedForward { .. } | Event::Retry { .. }
            )
        })
        .map(|record| record.at)
        .collect();
    let mut seen: BTreeMap<(&At, usize, &str), &Did> = BTreeMap::new();
    for did in did {
        let turned = turns.iter().filter(|turn| **turn <= did.when).count();
        let once: BTreeSet<&String> = did.changes.iter().collect();
        for change in once {
            if let Some(first) = seen.insert((&did.at, turned, change), did)
                && first.attempt != did.attempt
            {
                let Did { at, when, attempt, .. } = did;
                wrong.push(format!(
                    "{when}: {at} did in attempt {attempt} what attempt {} had done: {change}",
                    first.attempt
                ));
            }
        }
    }
}

/// The checker can fail: what a quiet run tells is well, and each thing that is changed in it is seen.
mod tests {
    use serde_json::{Value, json};

    use super::{Did, checksum, wrong};
    use crate::faults::{
        bench::small,
        carry::{Carried, carried},
        scenario::Scenario,
    };

    fn quiet() -> Carried {
        let bench = small();
        carried(&bench.planned, bench.world.clone(), (bench.watch)(), &Scenario::quiet())
    }

    /// A journal whose records were changed by somebody who knows how lines are chained.
    fn forged(journal: &[u8], change: impl FnOnce(&mut Vec<Value>)) -> Vec<u8> {
        use sha2::{Digest as _, Sha256};
        let lines = journal.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let mut records: Vec<Value> =
            lines.map(|line| serde_json::from_slice(&line[18..]).expect("a record")).collect();
        change(&mut records);
        let (mut bytes, mut before) = (Vec::new(), String::new());
        for (number, mut record) in records.into_iter().enumerate() {
            record["seq"] = json!(number);
            record["prev"] = json!(before);
            let text = record.to_string();
            let line = format!("{:08x} {:08x} {text}", text.len(), checksum(text.as_bytes()));
            before = hex::encode(&Sha256::digest(&line)[..16]);
            bytes.extend(line.into_bytes());
            bytes.push(b'\n');
        }
        bytes
    }

    fn of(record: &Value, kind: &str, step: &str) -> bool {
        let named = record["event"]["at"]["step"].as_str().is_some_and(|id| id.ends_with(step));
        record["event"]["kind"] == kind && named && record["event"]["at"].get("item").is_none()
    }

    #[track_caller]
    fn sees(journal: &[u8], did: &[Did], what: &str) {
        let wrong = wrong(&small().planned.plan, journal, did, true);
        assert!(wrong.iter().any(|line| line.contains(what)), "{what}: {wrong:#?}");
    }

    #[test]
    fn what_is_wrong_with_a_history_is_seen() {
        let quiet = quiet();
        let journal = quiet.files.journal();
        let forged = |change: fn(&mut Vec<Value>)| forged(&journal, change);
        assert_eq!(
            wrong(&small().planned.plan, &forged(|_| ()), &quiet.did, true),
            Vec::<String>::new(),
            "nothing is changed"
        );
        let mut flipped = journal.clone();
        flipped[journal.len() / 2] ^= 1;
        sees(&flipped, &quiet.did, "record ");
        sees(&journal[..journal.len() - 1], &quiet.did, "is cut off");
        let dropped: Vec<u8> = journal
            .split_inclusive(|byte| *byte == b'\n')
            .enumerate()
            .filter(|(n, _)| *n != 5)
            .fold(Vec::new(), |mut bytes, (_, line)| {
                bytes.extend_from_slice(line);
                bytes
            });
        sees(&dropped, &quiet.did, "does not follow the one before");
        let unverified = forged(|records| records.retain(|record| !of(record, "verified", "freeze/gpu")));
        sees(&unverified, &quiet.did, "was called before karpenter/karpenter@1.8.8/freeze/gpu was done");
        let unfinished = forged(|records| records.retain(|record| !of(record, "verified", "thaw/gpu")));
        sees(
            &unfinished,
            &quiet.did,
            "the run is complete, and karpenter/karpenter@1.8.8/thaw/gpu is not done",
        );
        let silent = forged(|records| {
            records.retain(|record| !of(record, "intent", "thaw/gpu") && !of(record, "ended", "thaw/gpu"));
        });
        sees(&silent, &quiet.did, "karpenter/karpenter@1.8.8/thaw/gpu was called, and nothing announced it");
        let twice: Vec<Did> = quiet
            .did
            .iter()
            .cloned()
            .chain(quiet.did.iter().cloned().map(|did| Did { attempt: did.attempt + 1, ..did }))
            .collect();
        sees(&journal, &twice, "did in attempt 2 what attempt 1 had done");
    }
}
