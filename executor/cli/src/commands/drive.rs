//! What the commands share that carry a run on: drivers, clock, signals, progress, and how the process ends.

use std::{path::PathBuf, sync::Arc};

use switchback_executor::{
    machine::Rest,
    runs,
    runtime::{Ended, Runtime, Stop},
    store::Store,
};
use switchback_face::{Answer, Exit};
use switchback_model::trust::Trusted;
use switchback_schemas::{
    RunId, Seconds,
    codes::{self, Code},
    event::RunEvent,
    journal::{End, Record},
    plan::Plan,
    seconds::Length,
};

use super::notify;
use crate::{
    args::PlatformArgs,
    documents,
    error::Error,
    host::Host,
    platform::Platform,
    show::{
        account, labels,
        progress::{Progress, Style},
    },
    signals::Signals,
    store::Opened,
};

/// How long calls under way are waited for when a run is asked to stop, in domain time.
const GRACE: Seconds = Seconds::minutes(5);

/// How a run is carried on.
#[derive(Debug, clap::Args)]
pub(super) struct DriveArgs {
    #[command(flatten)]
    pub(super) platform: PlatformArgs,
    /// Who may approve, from a place outside of what is under review; needed where the plan names a trust
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Parks after this time, such as 50m, instead of being killed by a scheduler
    #[arg(long, value_name = "LENGTH")]
    max_runtime: Option<Length>,
    /// Output format of progress
    #[arg(long, value_enum, default_value_t)]
    format: Answer,
    /// Show only what disrupts something, what is reached and what stops
    #[arg(long)]
    brief: bool,
    /// Show no progress, only the end
    #[arg(long, short)]
    quiet: bool,
}

/// What is carried on.
pub(super) enum What<'a> {
    /// The run of a plan, made if it is not there.
    Plan(&'a [u8]),
    /// A run that is there.
    Run(&'a RunId),
}

impl DriveArgs {
    /// Who may approve, if that is given.
    pub(super) fn trust(&self) -> Result<Option<Trusted>, Error> {
        Ok(self.trust.as_deref().map(documents::trust).transpose()?)
    }

    fn style(&self, host: &Host) -> Style {
        match self.format {
            Answer::Json => Style::Json,
            Answer::Text if self.quiet => Style::None,
            Answer::Text if self.brief => Style::Brief,
            Answer::Text if host.environment.around.stderr && host.environment.around.stdout => Style::Bars,
            Answer::Text => Style::Lines,
        }
    }
}

/// Carries a run on until it comes to rest, or until two signals came.
pub(super) async fn drive(
    what: What<'_>,
    args: &DriveArgs,
    opened: &Opened,
    host: &mut Host,
) -> Result<Exit, Error> {
    // From here on a signal asks the run to come to rest.
    let mut signals = Signals::new()?;
    let (run, bytes) = match what {
        What::Plan(bytes) => (runs::run_id(&switchback_schemas::Digest::of(bytes))?, bytes.to_vec()),
        What::Run(run) => (run.clone(), runs::plan(&*opened.store, run).await?),
    };
    let plan = Plan::from_json(&bytes).map_err(|error| Error::Run(error.into()))?;
    let earlier = opened.store.journal(&run).await?.map(|journal| journal.records).unwrap_or_default();
    let platform = Platform::open(&args.platform, &host.environment)?;
    let drivers = platform.drivers(&plan, opened.programs(&run), &host.environment).await?;
    let runtime =
        Runtime::new(Arc::clone(&opened.store), drivers, Arc::clone(&platform.clock), host.holder());
    let trust = args.trust()?.map(Arc::new);
    let applier = match &plan.platform.trust {
        Some(_) => Some(platform.caller().await?),
        None => None,
    };
    let runtime = Runtime {
        trust,
        applier,
        grace: GRACE,
        max_runtime: args.max_runtime.map(|length| length.0),
        claims: Some(platform.claims(host, opened).await?),
        ..runtime
    };
    let stop = Stop::new();
    let style = args.style(host);
    let carried = carried(&runtime, &run, what, (&plan, &earlier, style), &stop, &mut signals, host);
    // Its future is large.
    let ended = Box::pin(carried).await?;
    let Some((ended, signalled)) = ended else {
        host.remark(&format!(
            "run {run}: stopped at once; calls in flight are in doubt until the run is resumed"
        ))?;
        return Ok(Exit::Interrupted);
    };
    let (mut exit, code, mut text) = told(&run, &ended, signalled);
    if matches!(exit, Exit::Held | Exit::RolledBack) && runs::rests_as_requested(&*opened.store, &run).await?
    {
        exit = Exit::Success;
    }
    if matches!(ended, Ended::Rest(Rest::Ended(End::RolledBack | End::RolledBackSuspended)))
        && let Some(why) = runs::status(&*opened.store, &run).await?.rollback
    {
        text = format!("{text}\n  because {why}");
    }
    if ended == Ended::Rest(Rest::Ended(End::RolledBack))
        && let Some(line) = returned(&*opened.store, &run).await?
    {
        text = format!("{text}\n{line}");
    }
    if matches!(ended, Ended::Rest(Rest::Parked { .. })) {
        let awaited = runs::awaited(&*opened.store, &run, platform.clock.now()).await?;
        let some: Vec<_> = awaited.into_iter().filter(|one| !one.given.is_empty()).collect();
        for line in account::awaited(&some).lines() {
            text = format!("{text}\n  {line}");
        }
        let report = runs::status(&*opened.store, &run).await?;
        let suspended = account::suspended_meanwhile(&report);
        if !suspended.is_empty() {
            text = format!(
                "{text}\n  suspended meanwhile: {}\n  to give up and resume: switchback rollback --run {run} --to {}; \
                 to plan the rest anew: switchback observe --continue {run}",
                suspended.join("; "),
                report.savepoint,
            );
        }
    }
    if matches!(ended, Ended::Rest(Rest::Ended(_) | Rest::Held { .. })) {
        let report = runs::status(&*opened.store, &run).await?;
        for line in account::worse(&report).lines() {
            text = format!("{text}\n  {line}");
        }
    }
    for failed in notify::channels(&runtime.drivers, &plan, &run, &text).await {
        host.remark(&format!("not notified: {failed}"))?;
    }
    match style {
        // The last line of a stream of events stays an event.
        Style::Json => host.remark(&text)?,
        _ => host.answer(&(text + "\n"))?,
    }
    if let Some((code, help)) = code.filter(|_| exit != Exit::Success) {
        host.terminal.code(code, help).map_err(Error::Write)?;
    }
    Ok(exit)
}

/// The run that has the platform again, now that the one which continued it is back where it began.
pub(super) async fn returned(store: &dyn Store, run: &RunId) -> Result<Option<String>, Error> {
    let earlier = runs::returned_to(store, run).await?;
    Ok(earlier.map(|earlier| {
        format!(
            "  run {earlier}, which it continued, has the platform again and holds: \
             `switchback rollback --run {earlier}` rolls back further"
        )
    }))
}

/// Where it came to rest, and whether a signal asked for it; `None` after the second signal.
async fn carried(
    runtime: &Runtime,
    run: &RunId,
    what: What<'_>,
    (plan, earlier, style): (&Plan, &[Record], Style),
    stop: &Stop,
    signals: &mut Signals,
    host: &mut Host,
) -> Result<Option<(Ended, bool)>, Error> {
    let mut progress = Progress::new(plan, earlier, style, &mut host.terminal.out);
    let mut view = |event: &RunEvent| progress.show(event);
    let work = async {
        match what {
            What::Plan(bytes) => runs::apply(runtime, bytes, stop, &mut view).await.map(|(_, ended)| ended),
            What::Run(_) => runs::resume(runtime, run, stop, &mut view).await,
        }
    };
    let mut signalled = false;
    let ended = {
        tokio::pin!(work);
        loop {
            tokio::select! {
                ended = &mut work => break Some(ended),
                name = signals.next() => {
                    if signalled {
                        break None;
                    }
                    signalled = true;
                    stop.ask(name);
                }
            }
        }
    };
    progress.end().map_err(Error::Write)?;
    match ended {
        Some(ended) => Ok(Some((ended?, signalled))),
        None => Ok(None),
    }
}

/// What to do after a run that ended without completing its plan.
const OVER: &str = "`switchback report` shows how far it came and `switchback janitor` what it left; to go on, observe and plan again";

/// How the process ends, under which code a failure is explained, and what a person does next.
fn told(run: &RunId, ended: &Ended, signalled: bool) -> (Exit, Option<(Code, &'static str)>, String) {
    let mut code = None;
    let (exit, text) = match ended {
        Ended::Interrupted { calling } => {
            let places: Vec<String> = calling.iter().map(ToString::to_string).collect();
            (
                Exit::Interrupted,
                format!("stopped with calls in flight, which are in doubt: {}", places.join(", ")),
            )
        }
        Ended::Rest(Rest::Parked { .. }) if signalled => (
            Exit::Interrupted,
            "parked after a signal; continue with `switchback tick` or the same `apply`".to_owned(),
        ),
        Ended::Rest(Rest::Parked { waits_for, wake_at }) => {
            let wake = wake_at.map_or_else(String::new, |at| format!(" or at {at}"));
            let text = format!(
                "parked, waits for {}{wake}; continue with `switchback tick` or the same `apply`",
                labels::all_waits(waits_for)
            );
            (Exit::Parked, text)
        }
        Ended::Rest(Rest::Held { why }) => {
            code = Some((
                codes::RUN_HELD,
                "`switchback status` shows where; then `switchback` continue, retry --step, rollback (alone, it shows what it would do) or abandon; `switchback rollback --by-hand` prints the commands that roll back without Switchback",
            ));
            (Exit::Held, format!("held: {why}"))
        }
        Ended::Rest(Rest::Superseded(by)) => {
            code = Some((codes::RUN_OVER, OVER));
            (Exit::Failed, format!("continued by run {by}"))
        }
        Ended::Rest(Rest::Ended(end)) => {
            let exit = match end {
                End::Complete | End::CleanedUp => Exit::Success,
                End::RolledBack | End::RolledBackSuspended => Exit::RolledBack,
                End::Abandoned => {
                    code = Some((codes::RUN_OVER, OVER));
                    Exit::Failed
                }
            };
            (exit, labels::end(*end).to_owned())
        }
    };
    (exit, code, format!("run {run}: {text}"))
}
