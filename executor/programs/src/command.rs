//! Commands: the effect `command` and the condition of the same name.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use switchback_executor::{
    ports::{Call, Classify as _, Commands, Failure, Rehearsal},
    untrusted::text,
};
use switchback_schemas::{
    journal::{Class, Evidence, Outcome, Verdict},
    plan::Command,
};

use crate::port::{Arg, Exit, Invocation, Programs, RunError, slot};

/// Looks a variable of the executor's environment up.
pub type Lookup = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Lines of a failing command's output that are kept.
const LINES: usize = 10;

/// Runs commands.
pub struct CommandDriver {
    programs: Arc<dyn Programs>,
    lookup: Lookup,
}

/// How a command that was run ended.
struct Ran {
    exit: Exit,
    /// The last lines that it said, without the values of variables that were looked up.
    lines: Vec<String>,
}

/// Why a command was not run to its end.
enum Stopped {
    /// A variable that is not set.
    NoVariable(String),
    /// The program.
    Run(RunError),
}

impl CommandDriver {
    /// `lookup` reads the executor's environment.
    pub fn new(programs: Arc<dyn Programs>, lookup: Lookup) -> Self {
        Self { programs, lookup }
    }

    async fn program(&self, slot: String, command: &Command) -> Result<Ran, Stopped> {
        let mut secrets = Vec::new();
        let mut env = BTreeMap::new();
        for (name, value) in &command.env {
            let read = value.read(&*self.lookup).map_err(|unset| Stopped::NoVariable(unset.to_owned()))?;
            secrets.extend(value.variable().map(|_| read.clone()));
            env.insert(name.clone(), read);
        }
        let argv = command.argv.iter().map(|word| Arg::from(word.as_str())).collect();
        let call = Invocation { slot, argv, env, files: BTreeMap::new(), within: command.timeout.duration() };
        let exit = self.programs.run(&call).await.map_err(Stopped::Run)?;
        let said = if exit.stderr.is_empty() { &exit.stdout } else { &exit.stderr };
        let mut said = String::from_utf8_lossy(said).into_owned();
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            said = said.replace(secret, "[hidden]");
        }
        Ok(Ran { lines: text::last_lines(&said, LINES), exit })
    }
}

impl Stopped {
    fn outcome(&self) -> Outcome {
        match self {
            Self::NoVariable(name) => {
                Outcome::NotDone { class: Class::Denied, evidence: Self::no_variable(name) }
            }
            Self::Run(error) => error.of_write(),
        }
    }

    fn verdict(&self) -> Verdict {
        let evidence = match self {
            Self::NoVariable(name) => Self::no_variable(name),
            Self::Run(error) => error.failure().evidence,
        };
        Verdict::Unknown { evidence }
    }

    fn no_variable(name: &str) -> Evidence {
        Evidence::line(format!("the variable {} is not set", text::line(name)))
    }
}

fn told(command: &Command, ran: &Ran) -> Evidence {
    let program = command.argv.first().map(String::as_str).unwrap_or_default();
    let mut lines = vec![text::line(&format!("{program} {}", ran.exit.said()))];
    if !ran.exit.is_success() {
        lines.extend_from_slice(&ran.lines);
    }
    Evidence(lines)
}

#[async_trait]
impl Commands for CommandDriver {
    async fn rehearse(&self, command: &Command) -> Result<Rehearsal, Failure> {
        if let Some(unset) = command.env.values().find_map(|value| value.read(&*self.lookup).err()) {
            let evidence = Stopped::no_variable(unset);
            return Err(Failure { class: Class::Denied, evidence });
        }
        let program = command.argv.first().map(String::as_str).unwrap_or_default();
        self.programs.find(program).map_err(|error| error.failure())?;
        Ok(Rehearsal { evidence: Evidence::line(format!("{program} is there")), ..Rehearsal::default() })
    }

    async fn run(&self, call: &Call, command: &Command) -> Outcome {
        match self.program(slot(&["command", &call.token]), command).await {
            Ok(ran) if ran.exit.is_success() => Outcome::Done { evidence: told(command, &ran) },
            // What it did before it failed is its own secret.
            Ok(ran) => Outcome::InDoubt { class: Class::Refused, evidence: told(command, &ran) },
            Err(stopped) => stopped.outcome(),
        }
    }

    async fn check(&self, call: &Call, command: &Command) -> Verdict {
        let of =
            switchback_schemas::Digest::of_json(command).map(|digest| digest.short(12)).unwrap_or_default();
        match self.program(slot(&["check", &call.token, &of]), command).await {
            Ok(ran) if ran.exit.is_success() => Verdict::Holds { evidence: told(command, &ran) },
            Ok(ran) if ran.exit.code.is_some() => Verdict::Fails { evidence: told(command, &ran) },
            Ok(ran) => Verdict::Unknown { evidence: told(command, &ran) },
            Err(stopped) => stopped.verdict(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use switchback_schemas::{Seconds, journal::At};

    use super::*;
    use crate::port::Settled;
    use switchback_schemas::plan::EnvValue;

    /// Ends as it is told, and prints its environment.
    struct Scripted(Option<i32>);

    #[async_trait]
    impl Programs for Scripted {
        async fn run(&self, call: &Invocation) -> Result<Exit, RunError> {
            let said: Vec<String> =
                call.env.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
            Ok(Exit { code: self.0, stdout: Vec::new(), stderr: said.concat().into_bytes() })
        }

        async fn settle(&self, _slot: &str, _within: Duration) -> Result<Settled, RunError> {
            Ok(Settled::Free)
        }
    }

    fn driver(code: Option<i32>) -> CommandDriver {
        let lookup: Lookup = Arc::new(|name| (name == "TOKEN").then(|| "hunter2".to_owned()));
        CommandDriver::new(Arc::new(Scripted(code)), lookup)
    }

    fn command(variable: &str) -> Command {
        let env = [
            ("MODE".to_owned(), EnvValue::Text("fast".into())),
            ("T".to_owned(), EnvValue::FromEnv(variable.into())),
        ];
        Command { argv: vec!["tests/run".into()], env: env.into(), timeout: Seconds(60) }
    }

    fn call() -> Call {
        Call::first(
            "r-1".parse().unwrap(),
            At::forward(&"a/b".parse().unwrap()),
            "cluster".parse().unwrap(),
            "t".into(),
        )
    }

    #[tokio::test]
    async fn a_failing_command_shows_its_words_without_secrets() {
        let outcome = driver(Some(2)).run(&call(), &command("TOKEN")).await;
        let Outcome::InDoubt { class: Class::Refused, evidence } = outcome else { panic!("{outcome:?}") };
        assert_eq!(evidence.0, ["tests/run ended with exit code 2", "MODE=fast", "T=[hidden]"]);
    }

    #[tokio::test]
    async fn a_check_has_three_values() {
        let check = async |code, variable| driver(code).check(&call(), &command(variable)).await;
        assert!(check(Some(0), "TOKEN").await.is_holding());
        assert!(matches!(check(Some(1), "TOKEN").await, Verdict::Fails { .. }));
        assert!(matches!(check(None, "TOKEN").await, Verdict::Unknown { .. }));
        assert!(matches!(check(Some(0), "UNSET").await, Verdict::Unknown { .. }));
    }
}
