//! `verify`: whether journals are whole, and tell a possible story, and whether what stands beside them can be read.

use switchback_executor::{runs, store::StoreError};
use switchback_face::{Exit, terminal::Failure as _};
use switchback_model::trust::Unsigned;
use switchback_schemas::{
    RunId, codes,
    journal::{Approval, Captured, Event},
};

use crate::{
    args::RunArgs,
    error::Error,
    host::Host,
    show::labels,
    store::{self, Opened},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArgs,
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let opened = store::open(&args.run.store, &host.environment)?;
    let runs = match &args.run.run {
        Some(run) => vec![run.clone()],
        None => opened.store.runs().await?,
    };
    let mut exit = Exit::Success;
    for run in &runs {
        match verify(&opened, run).await {
            Ok(line) => host.answer(&format!("run {run}: {line}\n"))?,
            Err(error) => exit = damaged(&format!("run {run}"), &error, host)?,
        }
        // Who approved what stands in the journal, whatever became of the rest.
        for approved in runs::approved(&*opened.store, run).await.iter().flatten() {
            host.answer(&format!("  {}\n", proof(approved)))?;
            if let (approval, Some(Err(_))) = approved {
                exit = Exit::Failed;
                let help = format!(
                    "find out who wrote to the store; ask {} for it again",
                    labels::who(&approval.by)
                );
                host.terminal.code(codes::RUN_APPROVAL, &help).map_err(Error::Write)?;
            }
        }
    }
    if args.run.run.is_none() {
        for (what, error) in claims(&opened).await {
            exit = damaged(&what, &error, host)?;
        }
    }
    Ok(exit)
}

fn damaged(what: &str, error: &Error, host: &mut Host) -> Result<Exit, Error> {
    host.answer(&format!("{what}: DAMAGED: {}\n", error.chain()))?;
    host.terminal.code(error.code(), &error.help()).map_err(Error::Write)?;
    Ok(Exit::Failed)
}

/// Claims, and why some were taken back, that cannot be read.
async fn claims(opened: &Opened) -> Vec<(String, Error)> {
    let mut unread = Vec::new();
    let mut look = |what: String, error: Option<StoreError>| {
        unread.extend(error.map(|error| (what, Error::from(error))));
    };
    match opened.store.claims().await {
        Err(error) => look("the claims".to_owned(), Some(error)),
        Ok(platforms) => {
            for platform in platforms {
                let claim = opened.store.claim(&platform).await;
                look(format!("the claim of platform {platform}"), claim.err());
            }
        }
    }
    look("the notes on claims".to_owned(), opened.store.claim_notes().await.err());
    unread
}

/// Reads everything that a run's journal leans on: its chain, its story, its artifacts.
async fn verify(opened: &Opened, run: &RunId) -> Result<String, Error> {
    let missing = || StoreError::NoSuchRun(run.clone());
    let journal = opened.store.journal(run).await?.ok_or_else(missing)?;
    runs::status(&*opened.store, run).await?;
    let side = opened.store.side(run).await?;
    let damaged = side
        .damaged()
        .next()
        .map(|(place, damage)| format!("entry {place} of what people said to it cannot be read: {damage}"));
    let stray = (side.strays > 0)
        .then(|| format!("{} lines of what people said to it follow from no line before them", side.strays));
    let heard = journal.records.iter().filter_map(|record| match record.event {
        Event::Heard { entries } => Some(entries),
        _ => None,
    });
    let cut = heard.max().and_then(|heard| side.cut(heard));
    if let Some(what) = damaged.or(stray).or(cut) {
        return Err(StoreError::Said { run: run.clone(), what }.into());
    }
    let mut artifacts = 0_usize;
    let carried = runs::carry_over(&*opened.store, run).await?;
    for captured in carried.captures.values().flat_map(|captures| captures.values()) {
        if let Captured::Artifact { digest, .. } = captured {
            opened.store.artifact(run, digest).await?;
            artifacts += 1;
        }
    }
    let torn = journal.torn.as_ref().map_or_else(String::new, |torn| {
        format!("; {} bytes of an unfinished write at its end, which the next process cuts off", torn.bytes)
    });
    let records = journal.records.len();
    let artifacts = match artifacts {
        0 => String::new(),
        n => format!("; {n} artifacts verified"),
    };
    let said = match side.places.len() {
        0 => String::new(),
        n => format!("; {n} entries of people in order"),
    };
    Ok(format!("{records} records, complete and in order, head {}{said}{artifacts}{torn}", journal.head.prev))
}

/// Who approved what, and what of that can be checked from here.
fn proof((approval, held): &(Approval, Option<Result<(), Unsigned>>)) -> String {
    let (scope, by, given) = (labels::scope(&approval.scope), labels::who(&approval.by), approval.given);
    match held {
        Some(Ok(())) => format!("approved {scope} by {by} at {given}: the signature holds"),
        Some(Err(why)) => format!("approved {scope} by {by} at {given}: NOT PROVEN: {why}"),
        None => format!("approved {scope} by {by} at {given}: a name; nothing of it can be checked"),
    }
}
