//! The table of commands: the one place that names them for both programs, for their help and for the documentation.

use std::fmt::Write as _;

use clap::Command;

use crate::Exit;

/// What a command needs beyond the files that it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Files,
    /// A digital twin, which it can serve itself.
    Twin,
    /// The store of runs.
    Store,
    /// A platform that it reads.
    Read,
    /// A platform that it changes.
    Write,
}

/// The program that carries a command out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `switchback`.
    Switchback,
    /// `switchback-exec`, to which `switchback` hands it over.
    Exec,
    /// `switchback` reads the manifests, and `switchback-exec` the platform.
    Both,
    /// `switchback-exec`; called by programs, so `switchback` does not know it.
    Internal,
}

/// One command.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Other names by which people know it.
    pub aliases: &'static [&'static str],
    /// What it does, in the imperative.
    pub summary: &'static str,
    /// What it needs.
    pub needs: Needs,
    /// Who carries it out.
    pub by: Program,
}

const fn entry(name: &'static str, by: Program, needs: Needs, summary: &'static str) -> Entry {
    Entry { name, aliases: &[], summary, needs, by }
}

const fn known_as(aliases: &'static [&'static str], entry: Entry) -> Entry {
    Entry { aliases, ..entry }
}

use Needs::{Files, Read, Store, Twin, Write};
use Program::{Both, Exec, Internal, Switchback};

/// Every command, in the order of a plan's life.
pub const COMMANDS: &[Entry] = &[
    known_as(&["validate"], entry("check", Switchback, Files, "Check manifests and report every finding")),
    entry("observe", Both, Read, "Observe the platform and write inventory.json"),
    entry("resolve", Both, Read, "Resolve the charts that manifests need and write lock.json"),
    entry("path", Switchback, Files, "Order the hops of all components, and explain the order"),
    entry("plan", Switchback, Files, "Compile manifests to a plan and print the dry-run"),
    entry("show", Switchback, Files, "Print the dry-run of a plan"),
    entry("diff", Switchback, Files, "Compare two plans"),
    entry("graph", Switchback, Files, "Print the graph of a plan for drawing programs"),
    entry("lint", Switchback, Files, "Check that a plan keeps its own rules"),
    entry("rollback-plan", Switchback, Files, "Show the rollback from any point of a plan"),
    entry("permissions", Switchback, Files, "List the permissions that a plan needs"),
    entry("explain", Switchback, Files, "Explain a code, a step, or the order of two steps"),
    entry("catalog", Switchback, Files, "Show what is known about versions, and check it"),
    entry("schema", Switchback, Files, "Print, write or check JSON Schemas"),
    entry("preflight", Exec, Read, "Check a plan against the live platform; change nothing"),
    entry("apply", Exec, Write, "Start or resume the run of a plan"),
    entry("status", Exec, Store, "Show where a run stands and what it waits for"),
    entry("tick", Exec, Write, "Resume every run that is due"),
    entry("approve", Exec, Store, "Record an approval"),
    entry("override", Exec, Store, "Override one gate, with a reason and an expiry"),
    entry("pause", Exec, Store, "Pause a run: no new step is started"),
    known_as(&["resume"], entry("continue", Exec, Store, "Continue a run that is held or paused")),
    entry("retry", Exec, Store, "Retry a failed step"),
    entry("rollback", Exec, Write, "Show what rolling back would do, or roll back"),
    known_as(
        &["close"],
        entry("cleanup", Exec, Write, "Delete the resources that a run retains for rollback"),
    ),
    entry("abandon", Exec, Store, "Abandon a run and list what it leaves"),
    entry("report", Exec, Store, "Report what a run did"),
    entry("learn", Switchback, Files, "Learn how long steps take, from reports of runs"),
    entry("verify", Exec, Store, "Verify the hash chain of a journal"),
    entry("janitor", Exec, Write, "List what runs left behind; `--fix` undoes one thing"),
    entry("lock", Exec, Store, "Inspect and release claims and leases"),
    entry("twin", Exec, Twin, "Serve a digital twin on loopback"),
    entry("demo", Exec, Twin, "Take the tour, without a cloud"),
    entry("eks-token", Internal, Read, "Print a token for an EKS cluster, for a kubeconfig"),
];

impl Entry {
    /// How it can end.
    fn exits(&self) -> impl Iterator<Item = Exit> {
        let needs = self.needs;
        Exit::ALL.into_iter().filter(move |exit| match exit {
            Exit::Success | Exit::Failed | Exit::Usage | Exit::Bug => true,
            Exit::Changes => needs == Files,
            Exit::Busy => matches!(needs, Store | Write),
            Exit::Unavailable => needs != Files,
            Exit::Parked | Exit::Held | Exit::RolledBack | Exit::Interrupted => needs == Write,
        })
    }

    /// What stands below its options.
    fn tail(&self) -> String {
        let needs = match self.needs {
            Files => "files only",
            Twin => "nothing; it serves a digital twin",
            Store => "the store of runs, and a kubeconfig where it says who is asking",
            Read => "a platform that it may read",
            Write => "a platform that it may change",
        };
        format!("Needs: {needs}\n\n{}", exits(self.exits()))
    }

    /// Whether `switchback` hands it over as it is.
    pub fn is_forwarded(&self) -> bool {
        self.by == Exec
    }
}

/// The command of this name.
pub fn find(name: &str) -> Option<&'static Entry> {
    COMMANDS.iter().find(|entry| entry.name == name)
}

/// Exit codes with what they mean, for the end of a help.
fn exits(exits: impl IntoIterator<Item = Exit>) -> String {
    exits.into_iter().fold("Exit codes:".to_owned(), |mut text, exit| {
        // Writing to a string does not fail.
        let _ = write!(text, "\n  {:<5}{}", exit.code(), exit.about());
        text
    })
}

/// Gives a program's subcommands their summaries, other names, exit codes and order.
pub fn described(mut program: Command) -> Command {
    for entry in COMMANDS {
        if program.find_subcommand(entry.name).is_some() {
            program = program.mut_subcommand(entry.name, |command| {
                command.about(entry.summary).visible_aliases(entry.aliases).after_long_help(entry.tail())
            });
        }
    }
    program.after_long_help(exits(Exit::ALL))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_taken_once() {
        let names = COMMANDS.iter().flat_map(|entry| std::iter::once(&entry.name).chain(entry.aliases));
        let all: Vec<&str> = names.copied().collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{all:?}");
    }

    #[test]
    fn summaries_are_imperative() {
        for entry in COMMANDS {
            let verb = entry.summary.split([' ', ',']).next().unwrap_or_default();
            assert!(verb.starts_with(char::is_uppercase), "{}: {verb}", entry.name);
            assert!(!verb.ends_with('s'), "{}: {verb}", entry.name);
            assert!(!entry.summary.ends_with('.'), "{}", entry.name);
        }
    }

    #[test]
    fn a_help_ends_with_the_exit_codes_that_can_come() {
        let program = Command::new("p").subcommand(Command::new("apply")).subcommand(Command::new("lint"));
        let mut program = described(program);
        let mut help = |name: &str| program.find_subcommand_mut(name).map(Command::render_long_help);
        let apply = help("apply").expect("apply").to_string();
        assert!(apply.contains("\n  3    the run waits"), "{apply}");
        assert!(apply.ends_with("can be resumed\n"), "{apply}");
        assert!(!help("lint").expect("lint").to_string().contains("\n  3 "));
    }
}
