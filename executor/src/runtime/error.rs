//! Why a run cannot be taken up, or had to be let go.

use switchback_schemas::{
    Diagnostic, Digest, RunId,
    codes::{self, Code},
    format::ReadError,
    journal::Class,
    name::Label,
    trust::TrustRef,
};

use crate::{
    machine::{Illegal, Void},
    ports::{Failure, PlatformClaim},
    store::{AppendError, StoreError},
};

/// Why a run cannot be taken up, or had to be let go. What is durable stays; `apply` again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The plan cannot be read.
    #[error(transparent)]
    Plan(#[from] ReadError),
    /// The plan breaks its own rules.
    #[error("the plan breaks {} of its own rules", .0.len())]
    Lint(Vec<Diagnostic>),
    /// No driver of this build does what the plan asks for.
    #[error("nothing here can do: {}", .0.join(", "))]
    NoDriver(Vec<String>),
    /// Another run has the platform.
    #[error("platform {platform} is held by run {by}")]
    Claimed {
        /// The platform.
        platform: Label,
        /// The other run.
        by: RunId,
    },
    /// A run that this store does not know has the platform.
    #[error(
        "platform {platform} is held by run {} since {}: {}, which keeps its journal in {}",
        .claim.run, .claim.since, .claim.holder, .claim.store
    )]
    ClaimedOutside {
        /// The platform.
        platform: Label,
        /// What the platform says.
        claim: Box<PlatformClaim>,
    },
    /// What the platform says of its claim cannot be read or written.
    #[error("the claim on platform {platform} cannot be read or written: {failure}")]
    ClaimUnreadable {
        /// The platform.
        platform: Label,
        /// Why.
        failure: Failure,
    },
    /// Another process works on the run, with a store of its own.
    #[error("run {} was taken over by {}, which keeps its journal in {}; this process stops", .0.run, .0.holder, .0.store)]
    TakenOver(Box<PlatformClaim>),
    /// The platform knows more of the run than its journal here.
    #[error(
        "run {} got to record {} on the platform, and its journal here does not reach that: it was lost, restored or copied; {} kept it in {}",
        .0.run, .0.anchor.next, .0.holder, .0.store
    )]
    JournalBehind(Box<PlatformClaim>),
    /// The run was started from another plan.
    #[error("run {run} was started from plan {plan}")]
    OtherPlan {
        /// The run.
        run: RunId,
        /// Its plan.
        plan: Digest,
    },
    /// The run that is to be continued is not where it was when the plan was made.
    #[error("run {run} cannot be continued: {why}")]
    Parent {
        /// The run.
        run: RunId,
        /// Why.
        why: String,
    },
    /// A target is not the one that the plan was made for.
    #[error("target {target} is {found}, and the plan was made for {expected}")]
    Identity {
        /// The target.
        target: Label,
        /// What the plan says.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A target's identity cannot be read.
    #[error("the identity of target {target} cannot be read: {failure}")]
    Unproven {
        /// The target.
        target: Label,
        /// Why.
        failure: Failure,
    },
    /// The run is not in a state that allows what was asked.
    #[error("run {run} {why}")]
    NotAllowed {
        /// The run.
        run: RunId,
        /// Why.
        why: String,
    },
    /// The plan was made under another trust than this process was given.
    #[error("{}", of_trust(named.as_deref(), given.as_deref()))]
    Trust {
        /// What the plan names.
        named: Option<Box<TrustRef>>,
        /// What was given.
        given: Option<Box<TrustRef>>,
    },
    /// The trust wants the whole plan approved before anything begins, and the plan does not ask for that.
    #[error("trust {0} has a plan approved before it starts, and this one does not ask for that")]
    Unasked(Label),
    /// An approval does not count.
    #[error("run {run}: this approval does not count: {void}")]
    Approval {
        /// The run.
        run: RunId,
        /// Why.
        void: Box<Void>,
    },
    /// The journal tells an impossible story.
    #[error("run {run}: {source}")]
    Illegal {
        /// The run.
        run: RunId,
        /// The record.
        source: Box<Illegal>,
    },
    /// The journal cannot be written.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The store did not do what was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something of our own is wrong.
    #[error("{0}")]
    Bug(String),
}

fn of_trust(named: Option<&TrustRef>, given: Option<&TrustRef>) -> String {
    let short = |trust: &TrustRef| format!("trust {} ({})", trust.name, trust.digest.short(12));
    match (named, given) {
        (Some(named), None) => format!("the plan was made under {}, and none is given", short(named)),
        (Some(named), Some(given)) => {
            format!("the plan was made under {}, and {} is given", short(named), short(given))
        }
        (None, Some(given)) => format!("the plan was made under no trust, and {} is given", short(given)),
        (None, None) => "no trust is named".to_owned(),
    }
}

impl RunError {
    /// The code under which it is explained.
    pub fn code(&self) -> Code {
        match self {
            Self::Plan(_) | Self::Store(StoreError::Format { .. }) => codes::PLAN_UNREADABLE,
            Self::Lint(_) => codes::PLAN_LINT,
            Self::NoDriver(_) => codes::PLATFORM_PROGRAM,
            Self::Claimed { .. } | Self::ClaimedOutside { .. } | Self::Store(StoreError::ClaimMoved(_)) => {
                codes::RUN_CLAIMED
            }
            Self::OtherPlan { .. } => codes::RUN_PLAN_DIFFERS,
            Self::Parent { .. } | Self::NotAllowed { .. } => codes::RUN_NOT_ALLOWED,
            Self::Identity { .. } => codes::RUN_IDENTITY,
            Self::Unproven { failure, .. } | Self::ClaimUnreadable { failure, .. }
                if failure.class == Class::Denied =>
            {
                codes::PLATFORM_FORBIDDEN
            }
            Self::Unproven { .. } | Self::ClaimUnreadable { .. } => codes::PLATFORM_UNREACHABLE,
            Self::Approval { .. } => codes::RUN_APPROVAL,
            Self::Trust { .. } | Self::Unasked(_) => codes::RUN_TRUST,
            Self::Illegal { .. } => codes::RUN_ILLEGAL_RECORD,
            Self::TakenOver(_)
            | Self::Append(AppendError::Fenced { .. })
            | Self::Store(StoreError::Leased(_)) => codes::RUN_LEASED,
            Self::Append(_) | Self::Store(StoreError::Disk { .. }) => codes::RUN_JOURNAL_WRITE,
            Self::Store(StoreError::NoSuchRun(_)) => codes::RUN_NO_SUCH,
            Self::JournalBehind(_) | Self::Store(_) => codes::RUN_JOURNAL_CORRUPT,
            Self::Bug(_) => codes::BUG,
        }
    }

    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Plan(error) => error.help().to_owned(),
            Self::Store(StoreError::Format { source, .. }) => source.help().to_owned(),
            Self::Lint(_) => {
                "`switchback lint PLAN` lists them; make an edited plan anew with `switchback plan`"
                    .to_owned()
            }
            Self::NoDriver(_) => "run the plan with the release that made it".to_owned(),
            Self::Claimed { by, .. } => format!(
                "end that run, or continue it with a plan made from `switchback observe --continue {by}`"
            ),
            Self::ClaimedOutside { claim, .. } | Self::TakenOver(claim) => format!(
                "continue that run from its own store, {}, or end it there; if that store is lost: \
                 `switchback lock take-back PLATFORM --run {} --reason TEXT`",
                claim.store, claim.run
            ),
            Self::JournalBehind(claim) => format!(
                "use the store in which the run was last carried on, {}, or restore its newest copy; if there is none: \
                 `switchback lock take-back PLATFORM --run {} --reason TEXT`, then observe and plan again",
                claim.store, claim.run
            ),
            Self::OtherPlan { .. } | Self::Parent { .. } => "observe and plan again".to_owned(),
            Self::Identity { .. } => "check --kubeconfig and --context".to_owned(),
            Self::Unproven { .. } | Self::ClaimUnreadable { .. } => {
                "check the credentials and the network; `switchback preflight` tries it".to_owned()
            }
            Self::NotAllowed { run, .. } => format!("`switchback status --run {run}` shows where it stands"),
            Self::Approval { void, .. } => void.help().to_owned(),
            Self::Unasked(_) => {
                "make the plan again with `switchback plan --trust FILE`; one that was edited is not applied"
                    .to_owned()
            }
            Self::Trust { given: None, .. } => {
                "pass --trust FILE, from where who may approve is kept".to_owned()
            }
            Self::Trust { .. } => {
                "plan again with `switchback plan --trust FILE`, under the trust that is in force".to_owned()
            }
            Self::Append(AppendError::Fenced { .. }) | Self::Store(StoreError::Leased(_)) => {
                "let that process end, or stop it; a lease ends within a minute of a kill".to_owned()
            }
            Self::Append(_) | Self::Store(StoreError::Disk { .. }) => {
                "free space or restore the permissions, then apply again: the run continues from its journal"
                    .to_owned()
            }
            Self::Store(StoreError::NoSuchRun(_)) => {
                "`switchback status --all` lists the runs; name another store with --store".to_owned()
            }
            Self::Store(StoreError::ClaimMoved(_)) => "try again".to_owned(),
            Self::Store(StoreError::Said { .. }) => {
                "find out who wrote to the store; what was said there has to be said again, then `continue`"
                    .to_owned()
            }
            Self::Store(StoreError::Foreign { .. }) => {
                "find out who wrote to the store, and restore the run from a copy of before".to_owned()
            }
            Self::Illegal { .. } | Self::Store(_) => {
                "restore the journal from a copy; `switchback verify` checks it".to_owned()
            }
            Self::Bug(_) => "please report it with this message".to_owned(),
        }
    }
}
