//! What a journal and a platform tell of a run, held against its plan. It knows the shape of plans and records and nothing of the
//! machine that decides, nor of the code that writes and reads journals.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};
use switchback_schemas::{
    StepId,
    journal::{At, End, Event, Outcome, Record, Way},
    plan::Plan,
};

use super::carry::Did;

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
fn records(journal: &[u8]) -> Result<Vec<Record>, String> {
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

    fn rolled_back(&self) -> Result<(), String> {
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
