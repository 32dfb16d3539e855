//! `switchback learn`: how long steps took, from accounts of runs.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Deserialize;
use switchback_face::{
    Exit, Terminal, documents,
    table::{self, Column},
};
use switchback_model::learn::learn;
use switchback_schemas::{estimates::Estimates, format::Document, journal::Way, report::Report};

use crate::error::Error;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Accounts of runs, as `switchback report --format json` or `switchback status --all --format json` wrote them
    #[arg(required = true, value_name = "REPORTS")]
    reports: Vec<PathBuf>,
    /// Where the estimates are written, for `switchback plan --estimates`; without it, they are only shown
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How to answer
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How to answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// The estimates themselves
    Json,
}

/// One account, or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Accounts {
    Many(Vec<Report>),
    One(Box<Report>),
}

pub(crate) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Error> {
    let mut reports: Vec<Report> = Vec::new();
    for path in &args.reports {
        match documents::json::<Accounts>(path)?.value {
            Accounts::Many(many) => reports.extend(many),
            Accounts::One(one) => reports.push(*one),
        }
    }
    for report in &reports {
        report.format.check(Document::Report).map_err(|error| Error::Unknown(error.to_string()))?;
    }
    // A run counts once, however many files tell of it.
    reports.sort_by(|a, b| (&a.run, a.last).cmp(&(&b.run, b.last)));
    reports.reverse();
    reports.dedup_by(|later, earlier| later.run == earlier.run);
    let estimates = learn(&reports);
    if let Some(output) = &args.output {
        documents::write(output, &estimates.to_json()?)?;
    }
    let text = match args.format {
        Format::Json => String::from_utf8_lossy(&estimates.to_json()?).into_owned(),
        Format::Text => shown(&estimates, terminal),
    };
    terminal.out.text(&text).map_err(Error::Write)?;
    Ok(Exit::Success)
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
            Way::Back => "back",
            Way::Close => "close",
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
