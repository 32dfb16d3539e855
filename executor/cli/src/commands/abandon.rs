//! `abandon`: ends a run where it stands, lets its platform go, and lists what it leaves with what clears it.

use switchback_executor::{
    runs::{self, Abandoned},
    runtime::Drivers,
};
use switchback_face::Exit;

use super::{janitor, operator::Operator, pause_continue::Args};
use crate::{error::Error, host::Host, platform::Platform, show::labels};

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let operator = Operator::new(&args.run, &args.operator, host).await?;
    let (run, by) = (&operator.run, labels::who(&operator.by));
    let clock = std::sync::Arc::clone(&operator.clock);
    let mut runtime = super::runtime(&operator.opened, Drivers::default(), clock, host);
    let cluster = Platform::find(&args.operator.platform, &host.environment)?;
    if let Some(cluster) = &cluster {
        runtime.claims = Some(cluster.claims(host, &operator.opened).await?);
    }
    let plan = operator.plan().await?;
    let platform = &plan.platform.name;
    let unreleased = match runs::abandon(&runtime, run, &operator.by, &args.reason).await? {
        Abandoned::ByItsProcess => {
            host.answer(&format!(
                "run {run}: abandoned, by {by}; the process that works on it ends it when its calls have returned: \
                 `switchback status --run {run}`\n"
            ))?;
            return Ok(Exit::Success);
        }
        Abandoned::Ended { unreleased, .. } => unreleased.map(|failure| failure.to_string()),
    };
    let no_cluster =
        || (cluster.is_none() && plan.platform.has_cluster()).then(|| "there is no kubeconfig".to_owned());
    host.answer(&format!("run {run}: abandoned, by {by}; it has ended, and lets platform {platform} go\n"))?;
    if let Some(why) = unreleased.or_else(no_cluster) {
        host.remark(&format!(
            "Lease switchback in kube-system may still name the run, which keeps runs of other stores away: {why}\n  \
             help: switchback lock take-back {platform} --run {run} --reason TEXT --kubeconfig FILE"
        ))?;
    }
    let left = janitor::left_by(&*operator.opened.store, run).await?;
    host.answer(&left)?;
    Ok(Exit::Success)
}
