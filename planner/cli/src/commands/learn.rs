//! `switchback learn`: how long steps took, from journals and accounts of runs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use switchback_face::{
    Answer, Exit, Terminal,
    documents::{self, DocumentError},
    table::{self, Column},
};
use switchback_model::learn::{Account, learn};
use switchback_schemas::{
    estimates::Estimates,
    format::{Document, Head},
    journal::Way,
    report::Report,
};

use crate::error::Error;

/// The name of a run's journal in a store.
const JOURNAL: &str = "journal";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Stores, runs or journals; or accounts, as `report --format json` or `status --all --format json` wrote them
    #[arg(required = true, value_name = "RUNS")]
    runs: Vec<PathBuf>,
    /// Where the estimates are written, for `switchback plan --estimates`; without it, they are only shown
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Answer,
}

/// One report, or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(Box<T>),
}

impl<T> OneOrMany<T> {
    fn list(self) -> Vec<T> {
        match self {
            Self::Many(many) => many,
            Self::One(one) => vec![*one],
        }
    }
}

pub(crate) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Error> {
    let mut accounts = Vec::new();
    for path in &args.runs {
        accounts.extend(if path.is_dir() { of_directory(path)? } else { of_file(path)? });
    }
    // A run counts once, however many files tell of it, and with what was written last.
    accounts.sort_by(|a, b| (&a.run, a.last).cmp(&(&b.run, b.last)));
    accounts.reverse();
    accounts.dedup_by(|earlier, later| earlier.run == later.run);
    let estimates = learn(&accounts);
    if let Some(output) = &args.output {
        documents::write(output, &estimates.to_json()?)?;
    }
    let text = match args.format {
        Answer::Json => String::from_utf8_lossy(&estimates.to_json()?).into_owned(),
        Answer::Text => shown(&estimates, terminal),
    };
    terminal.out.text(&text).map_err(Error::Write)?;
    Ok(Exit::Success)
}

/// The runs of a store, or the one of a run's directory.
fn of_directory(path: &Path) -> Result<Vec<Account>, Error> {
    let own = path.join(JOURNAL);
    if own.is_file() {
        return Ok(vec![of_journal(&own)?]);
    }
    let runs = path.join("runs");
    let unreadable = |source| DocumentError::Read { path: runs.clone(), source };
    let mut journals = Vec::new();
    for entry in fs::read_dir(&runs).map_err(unreadable)? {
        // What has no journal never was a run.
        journals.extend(Some(entry.map_err(unreadable)?.path().join(JOURNAL)).filter(|path| path.is_file()));
    }
    journals.sort();
    journals.iter().map(|path| of_journal(path)).collect()
}

/// A journal, by its name in every store, or reports.
fn of_file(path: &Path) -> Result<Vec<Account>, Error> {
    if path.file_name().is_some_and(|name| name == JOURNAL) {
        return Ok(vec![of_journal(path)?]);
    }
    for head in documents::json::<OneOrMany<Head>>(path)?.value.list() {
        head.format.check(Document::Report).map_err(|why| DocumentError::unreadable(path, &why))?;
    }
    let reports = documents::json::<OneOrMany<Report>>(path)?.value.list();
    Ok(reports.iter().map(Account::of_report).collect())
}

fn of_journal(path: &Path) -> Result<Account, Error> {
    let journal = documents::journal(path)?.value;
    let account = Account::of_records(&journal.records);
    Ok(account.ok_or_else(|| DocumentError::unusable(path, &"it does not start like a journal"))?)
}

fn shown(estimates: &Estimates, terminal: &Terminal) -> String {
    let columns = [
        Column::text("STEP"),
        Column::text("WAY"),
        Column::numbers("SEEN"),
        Column::text("TAKES"),
        Column::text("9 OF 10"),
    ];
    let rows = estimates.steps.iter().map(|known| {
        let way = match known.way {
            Way::Forward => "forward",
            Way::Rollback => "back",
            Way::Cleanup => "cleanup",
        };
        let each = if known.each_node { " a node" } else { "" };
        [
            known.step.clone(),
            way.to_owned(),
            known.seen.to_string(),
            format!("{}{each}", known.takes.expected),
            format!("{}{each}", known.takes.p90),
        ]
    });
    table::render(&columns, rows, terminal.out.look())
}
