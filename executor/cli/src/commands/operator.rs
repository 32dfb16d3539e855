//! What the commands share that say something to a run: who says it, to which run, at what time.

use std::sync::Arc;

use switchback_executor::{
    env::{Clock, SystemClock},
    runs::{self, RunHandle},
};
use switchback_face::Exit;
use switchback_schemas::{
    RunId,
    journal::{Approval, Identified, Shortage, SideKind},
    plan::{ApprovalScope, Plan},
    report::AwaitedApproval,
};

use crate::{
    args::{OperatorArgs, RunArgs},
    error::Error,
    host::Host,
    platform::Platform,
    show::labels,
    sign::SignArgs,
    store::{self, Opened},
};

/// Somebody who says something to a run.
pub(super) struct Operator {
    pub(super) opened: Opened,
    pub(super) run: RunId,
    pub(super) by: Identified,
    pub(super) clock: Arc<dyn Clock>,
    holder: String,
}

impl Operator {
    /// Finds the run, and finds out who is asking: what the API server says of the credentials, unless a name is
    /// asserted or there is no kubeconfig.
    pub(super) async fn new(run: &RunArgs, operator: &OperatorArgs, host: &Host) -> Result<Self, Error> {
        let opened = store::open(&run.store, &host.environment)?;
        let run = store::chosen(run, &*opened.store).await?;
        let (by, clock) = who_speaks(operator, host).await?;
        Ok(Self { opened, run, by, clock, holder: host.holder() })
    }

    /// The run, to write to it.
    pub(super) fn handle(&self) -> RunHandle<'_> {
        RunHandle { store: &*self.opened.store, clock: &*self.clock, holder: &self.holder, run: &self.run }
    }

    /// The run's plan.
    pub(super) async fn plan(&self) -> Result<Plan, Error> {
        let bytes = runs::plan(&*self.opened.store, &self.run).await?;
        Plan::from_json(&bytes).map_err(|error| Error::Run(error.into()))
    }

    /// Says it, and says that it was said.
    pub(super) async fn say(&self, says: SideKind, done: &str, host: &mut Host) -> Result<Exit, Error> {
        self.say_quietly(says).await?;
        host.answer(&format!("run {}: {done}, by {}\n", self.run, labels::who(&self.by)))?;
        Ok(Exit::Success)
    }

    /// Says it, for a command that goes on and shows what came of it.
    pub(super) async fn say_quietly(&self, says: SideKind) -> Result<(), Error> {
        Ok(runs::request(self.handle(), self.by.clone(), says).await?)
    }

    /// What is worse than before the run, by its name, as much as it is now.
    pub(super) async fn worse(&self, object: &str) -> Result<ApprovalScope, Error> {
        let worse = runs::status(&*self.opened.store, &self.run).await?.worse;
        let named = |shortage: &&Shortage| shortage.object.to_string() == object && shortage.ours.is_some();
        if let Some(found) = worse.iter().find(named) {
            return Ok(ApprovalScope::Worse(found.accepted()));
        }
        let flags: Vec<String> = worse
            .iter()
            .filter(|shortage| shortage.ours.is_some())
            .map(|shortage| format!("--worse \"{}\"", shortage.object))
            .collect();
        let there = if flags.is_empty() { "nothing".to_owned() } else { flags.join(", ") };
        Err(Error::NoSuch {
            what: format!("the run has not made {object} worse"),
            help: format!("to accept: {there}"),
        })
    }

    /// Approves, and says how many have to.
    pub(super) async fn approve(
        &self,
        scope: ApprovalScope,
        (reason, expires): (Option<String>, Option<jiff::Timestamp>),
        sign: &SignArgs,
        host: &mut Host,
    ) -> Result<Exit, Error> {
        let (by, awaited) = self.approve_quietly(scope.clone(), (reason, expires), sign).await?;
        let (scope, by) = (labels::scope(&scope), labels::who(&by));
        let more = match (awaited.needed, awaited.missing()) {
            (1, _) => String::new(),
            (needed, 0) => format!(" ({needed} of {needed})"),
            (_, _) => format!(": {}", labels::given(&awaited)),
        };
        host.answer(&format!("run {}: {scope} approved, by {by}{more}\n", self.run))?;
        Ok(Exit::Success)
    }

    /// The same for a command that goes on: who approved, and what is missing.
    pub(super) async fn approve_quietly(
        &self,
        scope: ApprovalScope,
        (reason, expires): (Option<String>, Option<jiff::Timestamp>),
        sign: &SignArgs,
    ) -> Result<(Identified, AwaitedApproval), Error> {
        let plan = self.plan().await?;
        known(&scope, &plan)?;
        let signer = sign.signer(&*self.opened.store, &self.run).await?;
        let by = signer.as_ref().map_or_else(|| self.by.clone(), |signer| signer.by.clone());
        let review = plan.digests.review;
        let given = self.clock.now();
        let mut approval = Approval { by: by.clone(), scope, review, reason, given, expires, proof: None };
        if let Some(signer) = signer {
            signer.sign(&self.run, &mut approval).await?;
        }
        Ok((by, runs::approve(self.handle(), approval).await?))
    }
}

/// Who is asking, and the platform's time.
pub(super) async fn who_speaks(
    operator: &OperatorArgs,
    host: &Host,
) -> Result<(Identified, Arc<dyn Clock>), Error> {
    let platform = Platform::find(&operator.platform, &host.environment)?;
    let by = match (&operator.asserted, &platform) {
        (Some(name), _) => Identified::Asserted(name.clone()),
        (None, Some(platform)) => platform.caller().await.map_err(|error| match error {
            Error::Platform { what, failure } => {
                Error::Platform { what: format!("{what} (use --asserted NAME to go without)"), failure }
            }
            other => other,
        })?,
        (None, None) => {
            Identified::Asserted(host.environment.user.clone().unwrap_or_else(|| "somebody".to_owned()))
        }
    };
    let clock = platform.map_or_else(|| Arc::new(SystemClock) as _, |platform| platform.clock);
    Ok((by, clock))
}

/// A scope that names nothing of the plan would approve nothing.
fn known(scope: &ApprovalScope, plan: &Plan) -> Result<(), Error> {
    let missing = |what: &str, name: &str, there: Vec<&str>| {
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        Err(Error::NoSuch { what: format!("the plan has no {what} {name}"), help: format!("it has {there}") })
    };
    match scope {
        ApprovalScope::Point(line) if !plan.points.iter().any(|known| known.id == *line) => missing(
            "point of no return",
            line.as_str(),
            plan.points.iter().map(|line| line.id.as_str()).collect(),
        ),
        ApprovalScope::Gate(gate) if plan.gate(gate).is_none() => {
            missing("gate", gate.as_str(), plan.gates.iter().map(|gate| gate.id.as_str()).collect())
        }
        _ => Ok(()),
    }
}
