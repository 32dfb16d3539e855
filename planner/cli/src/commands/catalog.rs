//! `switchback catalog`: what is known about versions, from where, and what is not.

use std::fmt::Write as _;

use jiff::civil::Date;
use switchback_face::{Answer, Exit};
use switchback_planner::catalog::{Catalog, ComponentFacts, Finding, check};
use switchback_schemas::codes;

use crate::{error::Error, manifests::registry, terminal::Terminal};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A component; all of them when it is left out
    #[arg(value_name = "COMPONENT")]
    component: Option<String>,
    /// Check the catalog: errors, gaps, and facts that have grown old
    #[arg(long)]
    check: bool,
    /// The day for which ages are judged; without it they are not
    #[arg(long, value_name = "DATE", requires = "check")]
    as_of: Option<Date>,
    /// Output format
    #[arg(long, value_enum, default_value_t, requires = "check")]
    format: Answer,
}

pub(crate) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Error> {
    let catalog = registry()?.catalog();
    let facts = args.component.as_ref().map(|name| {
        let known: Vec<&str> = catalog.components.keys().map(String::as_str).collect();
        let unknown = || Error::NoSuch {
            what: format!("the catalog has no {name:?}"),
            help: format!("it has {}", known.join(", ")),
        };
        catalog.components.get(name).ok_or_else(unknown)
    });
    let facts = facts.transpose()?;
    let mut exit = Exit::Success;
    let text = if args.check {
        let mut findings = check(catalog, args.as_of);
        findings.retain(|finding| facts.is_none_or(|facts| facts.component == finding.component()));
        if findings.iter().any(Finding::is_fault) {
            exit = Exit::Failed;
        }
        match args.format {
            Answer::Json => serde_json::to_string_pretty(&findings)? + "\n",
            Answer::Text => findings.iter().map(told).collect::<String>() + &summary(&findings),
        }
    } else {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = match facts {
            Some(facts) => write(&mut text, facts),
            None => list(&mut text, catalog),
        };
        text
    };
    terminal.out.text(&text).map_err(Error::Write)?;
    if exit != Exit::Success {
        terminal.code(codes::BUG, "please report it with this message").map_err(Error::Write)?;
    }
    Ok(exit)
}

fn told(finding: &Finding) -> String {
    match finding {
        Finding::Fault { component, what } => format!("fault  {component}: {what}\n"),
        Finding::Hole { component, what } => format!("hole   {component}: {what}\n"),
        Finding::Old { component, what } => format!("old    {component}: {what}\n"),
    }
}

fn summary(findings: &[Finding]) -> String {
    let count = |test: fn(&Finding) -> bool| findings.iter().filter(|finding| test(finding)).count();
    format!(
        "{} faults, {} holes, {} old sources\n",
        count(Finding::is_fault),
        count(|finding| matches!(finding, Finding::Hole { .. })),
        count(|finding| matches!(finding, Finding::Old { .. })),
    )
}

fn list(text: &mut String, catalog: &Catalog) -> std::fmt::Result {
    for facts in catalog.components.values() {
        let (Some(first), Some(last)) = (facts.versions.first(), facts.versions.last()) else { continue };
        writeln!(text, "{:<24} {} to {}", facts.component, first.version.plain(), last.version.plain())?;
    }
    Ok(())
}

fn write(text: &mut String, facts: &ComponentFacts) -> std::fmt::Result {
    let f = facts;
    let from =
        |key: &str| f.sources.get(key).map_or_else(|| key.to_owned(), |s| format!("{key}, {}", s.read_on));
    writeln!(text, "{} ({})\n\nversions", f.title, f.component)?;
    for release in &f.versions {
        let released = release.released.map_or_else(|| "no date".to_owned(), |day| day.to_string());
        writeln!(text, "  {:<22} {released:<11} [{}]", release.version.plain(), from(&release.source))?;
    }
    let mut lines: Vec<(&str, String, &str)> = Vec::new();
    for bad in &f.bad {
        lines.push(("not to go to", format!("{}: {}", bad.versions, bad.why), &bad.source));
    }
    if let Some(rule) = &f.hops.one_at_a_time {
        lines.push(("hops", rule.why.clone(), &rule.source));
    }
    for rule in &f.hops.not_directly {
        lines.push((
            "hops",
            format!("{} to {} not directly: {}", rule.from, rule.to, rule.why),
            &rule.source,
        ));
    }
    for matrix in &f.compatibility {
        for row in &matrix.rows {
            let given: Vec<String> =
                row.given.iter().map(|(name, range)| format!(", given {name} {range}")).collect();
            let given = given.concat();
            let line = format!("{} {} {} {}{given}", row.when, matrix.strength, matrix.with, row.on);
            lines.push(("works with", line, &row.source));
        }
    }
    for skew in &f.skew {
        let line = format!(
            "{} {}: {} ahead, {} behind: {}",
            skew.strength, skew.with, skew.ahead, skew.behind, skew.why
        );
        lines.push(("skew", line, &skew.source));
    }
    for support in &f.support {
        let standard =
            support.standard_until.map_or_else(String::new, |day| format!(", standard until {day}"));
        lines.push((
            "support",
            format!("{} until {}{standard}", support.versions, support.until),
            &support.source,
        ));
    }
    for down in &f.down {
        let only = down.only.as_ref().map_or_else(String::new, |only| format!(", only {only}"));
        let days = down.within_days.map_or_else(String::new, |days| format!(", within {days} days"));
        let line = format!("{} to {}: {:?}{only}{days}: {}", down.from, down.to, down.way, down.why);
        lines.push(("rollbacks", line, &down.source));
    }
    for migration in &f.migrations {
        let back = migration.back.map_or_else(String::new, |way| format!(", rollback: {way:?}"));
        lines.push(("data", format!("{}: {}{back}", migration.at, migration.what), &migration.source));
    }
    for row in &f.disruption {
        let at = row.crossing.as_ref().map_or_else(|| "every hop".to_owned(), ToString::to_string);
        lines.push(("disturbs", format!("{at}: {:?}: {}", row.grade, row.why), &row.source));
    }
    for duration in &f.durations {
        let most = duration.p90.map_or_else(String::new, |p90| format!(", nine times of ten at most {p90}"));
        lines.push(("takes", format!("{}: {}{most}", duration.what, duration.takes), &duration.source));
    }
    for note in &f.notes {
        lines.push(("notes", format!("{}: {}", note.at, note.what), &note.source));
    }
    let mut heading = "";
    for (of, line, source) in &lines {
        if heading != *of {
            writeln!(text, "\n{of}")?;
            heading = of;
        }
        writeln!(text, "  {line} [{}]", from(source))?;
    }
    writeln!(text, "\nno fact")?;
    for hole in &f.holes {
        writeln!(text, "  {hole}")?;
    }
    writeln!(text, "\nsources")?;
    for (key, source) in &f.sources {
        writeln!(text, "  {key}: {} (read {}, grade {:?})", source.title, source.read_on, source.grade)?;
    }
    Ok(())
}
